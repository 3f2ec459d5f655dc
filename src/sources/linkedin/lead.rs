//! A fetched lead as the one schema has it: the questions that LinkedIn knows become fields, the others answers in the
//! words, the language and the order of the form.

use std::collections::BTreeMap;

use serde_json::Value;

use super::{
    super::{ParseError, fields::Fields, json::Node},
    notification::owner,
    urn,
};
use crate::domain::LeadDraft;

/// Questions whose names in LinkedIn's list others spell differently.
const PREDEFINED: [(&str, &str); 5] = [
    ("MOBILE_PHONE_NUMBER", "phone"),
    ("WORK_EMAIL_ADDRESS", "email"),
    ("EMAIL_ADDRESS", "email"),
    ("COMPANY_WEBSITE_URL", "website"),
    ("POSTAL_CODE", "zip"),
];

/// Reads `{"lead": …, "form": …, "account": …}`.
pub(super) fn read(root: &Node<'_>, answer: &Node<'_>) -> Result<LeadDraft, ParseError> {
    let text = |pointer: &str| answer.below(pointer).and_then(|node| node.flat());
    // Ids are given as URNs or without their names.
    let id = |pointers: &[&str]| pointers.iter().find_map(|pointer| text(pointer)).map(|id| urn::tail(&id).to_owned());
    let form_value = root.value.get("form").unwrap_or(&Value::Null);
    let form = Form::read(form_value);
    let Some(lead_id) = id(&["/id"]) else { return Err(answer.invalid("`id` is missing")) };

    let mut lead = Fields::of("linkedin");
    for (question, value) in form.in_order(answer) {
        // A custom question is never a field, whatever its words.
        if !question.known.is_some_and(|name| lead.put_known(name, &value)) {
            lead.answer(question.words.unwrap_or("Question"), &value);
        }
    }
    for (name, value) in form.hidden() {
        lead.put(&name, &value);
    }
    let owner = owner(answer).unwrap_or_default();
    let form_id = ["/versionedLeadGenFormUrn", "/leadGenForm", "/leadGenFormUrn"].into_iter().find_map(&text);
    let of_form = || Node { pointer: String::new(), value: form_value, notes: root.notes }.below("/id")?.flat();
    let origin = [
        ("lead_id", Some(lead_id.clone())),
        ("form_id", form_id.and_then(|urn| urn::form(&urn).map(str::to_owned)).or_else(of_form)),
        ("form_name", form.name.clone()),
        (if owner.contains(":organization:") { "page_id" } else { "account_id" }, Some(urn::tail(&owner).to_owned())),
        ("page_name", text("/ownerInfo/organizationInfo/name")),
        (
            "campaign_id",
            id(&[
                "/leadMetadata/sponsoredLeadMetadata/campaign",
                "/leadMetadataInfo/sponsoredLeadMetadataInfo/campaign/id",
            ]),
        ),
        ("campaign_name", text("/leadMetadataInfo/sponsoredLeadMetadataInfo/campaign/name")),
        (
            "ad_id",
            id(&[
                "/associatedEntity/sponsoredCreative",
                "/associatedEntity/associatedCreative",
                "/associatedEntityInfo/associatedCreative/id",
            ]),
        ),
        ("ad_name", text("/associatedEntityInfo/associatedCreative/name")),
    ];
    for (key, value) in origin {
        if let Some(value) = value.filter(|value| !value.is_empty()) {
            lead.set_origin(key, &value);
        }
    }
    for (words, given) in form.consent(answer) {
        lead.consent(&words, given);
    }
    if let Some(time) = text("/submittedAt") {
        lead.put_known("submitted_at", &time);
    }
    if let Some(language) = &form.language {
        lead.put_known("language", language);
    }
    if answer.value.get("testLead") == Some(&Value::Bool(true)) {
        lead.set("test", true);
    }
    if text("/leadType").is_some_and(|lead_type| lead_type != "SPONSORED") {
        lead.set("medium", "Organic social");
    }
    if !lead.names_somebody() {
        lead.set("name", form.name.unwrap_or_else(|| format!("Lead {lead_id}")));
    }
    lead.identify();
    lead.read(&answer.pointer, root.notes)
}

/// What the form says about a question.
#[derive(Debug, Clone, Default)]
struct Question<'a> {
    place: usize,
    /// Its words.
    words: Option<&'a str>,
    /// The name of the field that it asks for.
    known: Option<&'a str>,
    /// The words of each option.
    options: BTreeMap<String, &'a str>,
}

/// A form, as far as it is known.
struct Form<'a> {
    value: &'a Value,
    name: Option<String>,
    /// `ar`, `en`, …
    language: Option<String>,
    /// `ar_AE`, as the words of each language are named.
    locale: Option<String>,
    questions: BTreeMap<String, Question<'a>>,
}

impl<'a> Form<'a> {
    fn read(value: &'a Value) -> Self {
        let part = |key: &str| value.pointer(&format!("/creationLocale/{key}")).and_then(Value::as_str);
        let language = part("language").map(str::to_lowercase);
        let locale = language.clone().map(|language| match part("country") {
            Some(country) => format!("{language}_{}", country.to_uppercase()),
            None => language,
        });
        let name = value.get("name").and_then(Value::as_str).filter(|name| !name.trim().is_empty()).map(str::to_owned);
        let mut form = Self { value, name, language, locale, questions: BTreeMap::new() };
        let questions = value.pointer("/content/questions").and_then(Value::as_array);
        for (place, question) in questions.into_iter().flatten().enumerate() {
            if let Some(id) = question.get("questionId").and_then(number_or_text) {
                let read = form.question(place, question);
                form.questions.insert(id, read);
            }
        }
        form
    }

    fn question(&self, place: usize, question: &'a Value) -> Question<'a> {
        let name = question.get("name").and_then(Value::as_str);
        let predefined = question.get("predefinedField").and_then(Value::as_str);
        let spelt =
            |field: &'a str| PREDEFINED.iter().find(|(theirs, _)| *theirs == field).map_or(field, |(_, ours)| *ours);
        let options = question.pointer("/questionDetails/multipleChoiceQuestionDetails/options");
        let options = options.and_then(Value::as_array).into_iter().flatten();
        let option = |option: &'a Value| {
            let words = option.get("text").and_then(|text| self.localized(text));
            let words = words.or_else(|| option.get("label").and_then(Value::as_str))?;
            Some((option.get("id").and_then(number_or_text)?, words))
        };
        Question {
            place,
            words: question.get("question").and_then(|text| self.localized(text)).or(name),
            known: predefined.map(spelt),
            options: options.filter_map(option).collect(),
        }
    }

    /// Text, or one in several languages: that of the form, else any.
    fn localized(&self, text: &'a Value) -> Option<&'a str> {
        let languages = text.get("localized").and_then(Value::as_object);
        let own = languages.and_then(|languages| languages.get(self.locale.as_deref()?)?.as_str());
        let any = || languages.and_then(|languages| languages.values().find_map(Value::as_str));
        text.as_str().or(own).or_else(any).filter(|words| !words.trim().is_empty())
    }

    /// What was answered, in the order of the form; what the form does not know comes last.
    fn in_order(&self, answer: &Node<'a>) -> Vec<(Question<'a>, String)> {
        let answers = answer.value.pointer("/formResponse/answers").and_then(Value::as_array);
        let one = |item: &'a Value| {
            let id = item.get("questionId").and_then(number_or_text);
            let known = id.as_ref().and_then(|id| self.questions.get(id)).cloned();
            let question = known.unwrap_or_else(|| Question {
                place: usize::MAX,
                words: item.get("name").and_then(Value::as_str),
                ..Question::default()
            });
            let details = item.get("answerDetails").or_else(|| item.get("accepted"))?;
            let value = value_of(details, &question, answer)?;
            Some((question, value))
        };
        let mut answers: Vec<_> = answers.into_iter().flatten().filter_map(one).collect();
        answers.sort_by_key(|(question, _)| question.place);
        answers
    }

    /// Fields that only the advertiser sees: mostly where the campaign is named.
    fn hidden(&self) -> Vec<(String, String)> {
        let fields = self.value.get("hiddenFields").and_then(Value::as_array);
        let one = |field: &Value| {
            let text = |key: &str| field.get(key).and_then(Value::as_str).map(str::to_owned);
            text("name").zip(text("value"))
        };
        fields.into_iter().flatten().filter_map(one).collect()
    }

    /// What the person was asked to agree to. The form has the words, if it says them.
    fn consent(&self, answer: &Node<'_>) -> Vec<(String, bool)> {
        let asked = self.value.pointer("/content/legalInfo/consents").and_then(Value::as_array);
        let words = |id: &str| {
            let asked = asked.into_iter().flatten();
            let mut asked = asked.filter(|one| one.get("id").and_then(number_or_text).is_some_and(|known| known == id));
            let asked = asked.next()?;
            ["consent", "text", "label"].iter().find_map(|key| self.localized(asked.get(*key)?)).map(str::to_owned)
        };
        let given = answer.value.pointer("/formResponse/consentResponses").and_then(Value::as_array);
        let one = |item: &Value| {
            let id = item.get("consentId").and_then(number_or_text)?;
            let given = item.get("accepted") == Some(&Value::Bool(true));
            Some((words(&id).unwrap_or_else(|| format!("Consent {id}")), given))
        };
        given.into_iter().flatten().filter_map(one).collect()
    }
}

/// An answer in words. What nobody has described is kept as it came.
fn value_of(details: &Value, question: &Question<'_>, answer: &Node<'_>) -> Option<String> {
    let flat = |value: &Value| Node { pointer: answer.pointer.clone(), value, notes: answer.notes }.flat();
    if let Some(text) = details.pointer("/textQuestionAnswer/answer") {
        return flat(text);
    }
    let Some(options) = details.pointer("/multipleChoiceAnswer/options").and_then(Value::as_array) else {
        return flat(details);
    };
    let chosen = options.iter().filter_map(|option| {
        let id = number_or_text(option.get("id").unwrap_or(option));
        let words = id.as_ref().and_then(|id| question.options.get(id)).map(|words| (*words).to_owned());
        words.or(id).or_else(|| flat(option))
    });
    Some(chosen.collect::<Vec<_>>().join(", ")).filter(|text| !text.is_empty())
}

/// Ids are numbers, sometimes in quotes.
fn number_or_text(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}
