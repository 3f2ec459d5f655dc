//! The three-way merge of one field, by the table of `docs/BRIDGE.md`. Pure, and the same as the addon's.
//!
//! *ours* is what the daemon wrote last, *now* what Odoo holds, *new* what comes in; all in the bridge's normal form.

use serde_json::Value;

/// What to do with one field.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Decision {
    /// Odoo holds the value already, or nothing new came in.
    Nothing,
    /// Write the new value.
    Write,
    /// Keep what a person, or Odoo, put there.
    Keep,
}

/// Decides. `ours` is `None` where it is not known what the daemon wrote.
pub(super) fn decide(ours: Option<&Value>, now: &Value, new: &Value, owned: bool) -> Decision {
    let ours_is = |value| ours.is_some_and(|ours| same(ours, value));
    if same(now, new) {
        Decision::Nothing
    } else if owned {
        Decision::Write
    } else if ours_is(new) {
        Decision::Nothing
    } else if is_empty(now) || ours_is(now) {
        Decision::Write
    } else {
        Decision::Keep
    }
}

/// Whether two values say the same. A line of an order is compared on the keys that the right one has: an absent
/// price is no opinion about the price.
pub(super) fn same(left: &Value, right: &Value) -> bool {
    match (left, right) {
        (Value::Array(left), Value::Array(right)) => {
            left.len() == right.len() && left.iter().zip(right).all(|(left, right)| same(left, right))
        }
        (Value::Object(left), Value::Object(right)) => {
            right.iter().all(|(key, value)| same(left.get(key).unwrap_or(&Value::Null), value))
        }
        (Value::Number(left), Value::Number(right)) => match (left.as_i64(), right.as_i64()) {
            (Some(left), Some(right)) => left == right,
            // What a float column gives back may differ in the last bit.
            _ => match (left.as_f64(), right.as_f64()) {
                (Some(left), Some(right)) => (left - right).abs() <= f64::max(1e-9 * left.abs().max(right.abs()), 1e-9),
                _ => false,
            },
        },
        (left, right) => left == right || (is_blank(left) && is_blank(right)),
    }
}

/// No value, or a number that Odoo cannot tell from no value.
fn is_empty(value: &Value) -> bool {
    match value {
        Value::Number(number) => number.as_f64() == Some(0.0),
        Value::Array(items) => items.is_empty(),
        value => is_blank(value),
    }
}

fn is_blank(value: &Value) -> bool {
    matches!(value, Value::Null) || value.as_str().is_some_and(str::is_empty)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{Decision::*, *};

    #[test]
    fn the_table() {
        let (a, b, c, empty) = (json!("a"), json!("b"), json!("c"), json!(null));
        for (ours, now, new, expected, owned) in [
            // now = ours
            (Some(&a), &a, &a, Nothing, Nothing),
            (Some(&a), &a, &b, Write, Write),
            (Some(&a), &a, &empty, Write, Write),
            // now ≠ ours
            (Some(&a), &b, &a, Nothing, Write),
            (Some(&a), &b, &c, Keep, Write),
            (Some(&a), &b, &b, Nothing, Nothing),
            (Some(&a), &empty, &c, Write, Write),
            (Some(&a), &empty, &a, Nothing, Write),
            (Some(&empty), &a, &b, Keep, Write),
            // ours unknown
            (None, &a, &b, Keep, Write),
            (None, &empty, &b, Write, Write),
            (None, &a, &a, Nothing, Nothing),
        ] {
            let case = format!("ours {ours:?}, now {now}, new {new}");
            assert_eq!(decide(ours, now, new, false), expected, "{case}");
            assert_eq!(decide(ours, now, new, true), owned, "{case}, owned");
        }
    }

    #[test]
    fn equal_however_it_is_written() {
        for (left, right, expected) in [
            (json!(5), json!(5.0), true),
            (json!(0.1), json!(0.1 + 1e-12), true),
            (json!(0.1), json!(0.2), false),
            (json!(9_007_199_254_740_993_i64), json!(9_007_199_254_740_992_i64), false),
            (json!(null), json!(""), true),
            (json!(null), json!(0), false),
            (json!(false), json!(null), false),
            (json!([1, 2]), json!([1, 2]), true),
            (json!([1, 2]), json!([1]), false),
            (json!([{"product_id": 1, "price_unit": 9.5}]), json!([{"product_id": 1}]), true),
            (json!([{"product_id": 1}]), json!([{"product_id": 1, "price_unit": 9.5}]), false),
        ] {
            assert_eq!(same(&left, &right), expected, "{left} and {right}");
        }
    }

    #[test]
    fn zero_and_no_links_are_empty() {
        for now in [json!(0), json!(0.0), json!([]), json!("")] {
            assert_eq!(decide(None, &now, &json!("x"), false), Write, "{now}");
        }
        assert_eq!(decide(None, &json!(false), &json!(true), false), Keep);
    }
}
