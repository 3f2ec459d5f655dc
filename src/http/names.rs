//! Puts the names of related records next to their ids: `stage_id` 4 gets `stage_name` "Won", `tag_ids` get
//! `tag_names`.

use serde_json::{Map, Value};

use crate::domain::{Names, relation_of};

/// The record with names.
pub(super) fn named(record: Map<String, Value>, names: &Names) -> Map<String, Value> {
    let mut named = Map::new();
    for (field, value) in record {
        let value = match value {
            Value::Array(lines) if lines.iter().any(Value::is_object) => {
                lines.into_iter().map(|line| named_line(line, names)).collect()
            }
            value => value,
        };
        let name = name_of(&field, &value, names);
        named.insert(field, value);
        named.extend(name);
    }
    named
}

fn named_line(line: Value, names: &Names) -> Value {
    match line {
        Value::Object(line) => Value::Object(named(line, names)),
        other => other,
    }
}

/// The name field for a relational field, if a name is known.
fn name_of(field: &str, value: &Value, names: &Names) -> Option<(String, Value)> {
    let names = names.get(relation_of(field)?)?;
    let name = |id: &Value| names.get(&id.as_i64()?).map(|name| Value::from(name.clone()));
    match value {
        Value::Array(ids) => {
            Some((format!("{}_names", field.trim_end_matches("_ids")), ids.iter().filter_map(name).collect()))
        }
        id => Some((format!("{}_name", field.trim_end_matches("_id")), name(id)?)),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use serde_json::json;

    use super::*;

    #[test]
    fn names_stand_next_to_their_ids() {
        let names: Names = HashMap::from([
            ("crm.stage".to_owned(), HashMap::from([(4, "Won".to_owned())])),
            ("crm.tag".to_owned(), HashMap::from([(1, "VIP".to_owned()), (2, "New".to_owned())])),
            ("product.product".to_owned(), HashMap::from([(9, "Desk".to_owned())])),
        ]);
        let record = json!({"id": 4, "stage_id": 4, "tag_ids": [1, 2, 3], "user_id": 7, "team_id": null,
                            "order_line": [{"product_id": 9, "product_uom_qty": 2}]});
        let Value::Object(record) = record else { panic!("an object") };
        let expected = json!({"id": 4, "stage_id": 4, "stage_name": "Won", "tag_ids": [1, 2, 3],
                              "tag_names": ["VIP", "New"], "user_id": 7, "team_id": null,
                              "order_line": [{"product_id": 9, "product_name": "Desk", "product_uom_qty": 2}]});
        assert_eq!(Value::Object(named(record, &names)), expected);
    }
}
