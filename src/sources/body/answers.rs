//! The questions and answers of a form.

use crate::sources::{
    ParseError,
    json::{Node, clean},
};

const MAX_ANSWERS: usize = 200;
const MAX_QUESTION: usize = 500;

/// What forms call a question and its answer; the first pair is ours.
const QUESTION: [&str; 5] = ["question", "label", "title", "name", "key"];
const ANSWER: [&str; 4] = ["answer", "value", "values", "text"];

/// Reads `{"question": answer}`, `[{"question": …, "answer": …}]` or `[["question", answer]]`, in the order of the form.
/// Any JSON may be an answer.
pub(super) fn read(node: &Node<'_>) -> Result<Vec<(String, String)>, ParseError> {
    let mut answers = Vec::new();
    if let Some(fields) = node.value.as_object() {
        for (question, value) in fields {
            let answer = Node { pointer: node.pointer.clone(), value, notes: node.notes };
            answers.extend(answer.flat().map(|text| (clean(question), text)));
        }
        return Ok(answers);
    }
    if !node.value.is_array() {
        return Err(node.expected("an object or a list"));
    }
    for item in node.items(usize::MAX)? {
        let first = |keys: &[&str]| keys.iter().find_map(|key| item.below(&format!("/{key}")));
        if let Some([question, answer]) = item.value.as_array().map(Vec::as_slice) {
            let flat = |value| Node { value, ..item.clone() }.flat();
            answers.extend(flat(question).zip(flat(answer)));
            continue;
        }
        let Some(question) = first(&QUESTION).and_then(|question| question.flat()) else {
            return Err(item.invalid("expected an object with `question` and `answer`"));
        };
        answers.extend(first(&ANSWER).and_then(|answer| answer.flat()).map(|text| (question, text)));
    }
    Ok(answers)
}

/// Keeps the answers of `lead` within bounds.
pub(super) fn limit(lead: &Node<'_>, answers: &mut Vec<(String, String)>) {
    if answers.len() > MAX_ANSWERS {
        lead.warn(format_args!("more than {MAX_ANSWERS} answers: only those are kept"));
        answers.truncate(MAX_ANSWERS);
    }
    for (question, _) in answers {
        *question = lead.cut(std::mem::take(question), MAX_QUESTION);
    }
}
