//! From the leads that Odoo found to what becomes of the new one.

use serde::Serialize;

use super::{Comparison, Likeness, compare};
use crate::{
    config::{Duplicates as Policy, Verb},
    domain::{Candidate, LeadState as State, Person},
};

/// What becomes of a new lead.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Decision {
    /// What is done.
    #[serde(rename = "do")]
    pub verb: Verb,
    /// The lead that it is about.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id: Option<i64>,
    /// Why. No personal data.
    pub reason: String,
    /// The candidates that were looked at, in the states that they were in: the decision holds for these alone.
    pub seen: Vec<(i64, State)>,
}

/// Decides about `person`, of whom Odoo found `candidates`.
pub fn decide(person: &Person, candidates: &[Candidate], policy: &Policy) -> Decision {
    let compared = candidates.iter().map(|candidate| {
        let comparison = match candidate.same {
            true => Comparison { likeness: Likeness::Same, reason: "same conversation".to_owned() },
            false => compare(person, &candidate.person),
        };
        (comparison, candidate)
    });
    // The surest; of several, the one that is open, then the newest.
    let best = compared.max_by_key(|(comparison, candidate)| {
        let state = match candidate.state {
            State::Open => 3,
            State::Lost => 2,
            State::Archived => 1,
            State::Won => 0,
        };
        (comparison.likeness, state, candidate.id)
    });
    let seen = candidates.iter().map(|candidate| (candidate.id, candidate.state)).collect();
    let Some((comparison, candidate)) = best.filter(|(comparison, _)| comparison.likeness != Likeness::Different)
    else {
        return Decision { verb: Verb::Create, id: None, reason: String::new(), seen };
    };
    let verb = match (comparison.likeness, candidate.state) {
        (Likeness::Same, State::Open) => policy.open,
        (Likeness::Same, State::Lost | State::Archived) => policy.lost,
        (Likeness::Same, State::Won) => policy.won,
        _ => policy.perhaps,
    };
    Decision { verb, id: Some(candidate.id), reason: comparison.reason, seen }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn person(name: &str) -> Person {
        Person { name: Some(name.to_owned()), phones: vec!["+966501234567".to_owned()], ..Person::default() }
    }

    fn candidate(id: i64, state: State, name: &str) -> Candidate {
        Candidate { id, state, same: false, person: person(name) }
    }

    #[test]
    fn the_open_lead_before_the_newer_and_the_surer_before_the_open() {
        let policy = Policy::default();
        let sara = person("Sara Haddad");
        let of = |candidates: &[Candidate]| {
            let decision = decide(&sara, candidates, &policy);
            (decision.verb, decision.id)
        };
        let open = candidate(1, State::Open, "سارة حداد");
        let lost = candidate(2, State::Lost, "Sarah Haddad");
        let won = candidate(3, State::Won, "Sara");
        let brother = candidate(4, State::Open, "Omar Haddad");
        assert_eq!(of(&[lost.clone(), open.clone(), won.clone(), brother.clone()]), (Verb::Attach, Some(1)));
        assert_eq!(of(&[won.clone(), lost, brother.clone()]), (Verb::Reopen, Some(2)));
        assert_eq!(of(&[brother.clone(), won]), (Verb::Create, Some(3)));
        assert_eq!(of(std::slice::from_ref(&brother)), (Verb::Ask, Some(4)));
        let decision = decide(&sara, &[brother], &policy);
        assert_eq!(decision.reason, "same mobile number, other name");
        assert_eq!(decision.seen, [(4, State::Open)]);
        assert_eq!(decide(&sara, &[], &policy).verb, Verb::Create);
    }

    #[test]
    fn a_conversation_is_the_same_person_whatever_the_names() {
        let policy = Policy::default();
        let of = |state| {
            let known = Candidate { same: true, ..candidate(1, state, "Omar Haddad") };
            let decision = decide(&person("🌸"), &[known], &policy);
            (decision.verb, decision.reason)
        };
        assert_eq!(of(State::Lost), (Verb::Reopen, "same conversation".to_owned()));
        assert_eq!(of(State::Won), (Verb::Create, "same conversation".to_owned()));
    }
}
