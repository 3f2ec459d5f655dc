//! One method call, the same for every transport.

use std::time::Duration;

use serde_json::{Map, Value};

/// `model.method(ids, **arguments)` with a context. Arguments are named: `/json/2` knows no others.
#[derive(Debug, Clone, PartialEq)]
pub struct Call {
    /// The model, such as `crm.lead`.
    pub model: String,
    /// The public method.
    pub method: String,
    /// The records it is called on; `None` for methods of the model itself.
    pub ids: Option<Vec<i64>>,
    /// Named arguments.
    pub arguments: Map<String, Value>,
    /// Context on top of the session's own.
    pub context: Map<String, Value>,
    /// Longest wait, if not the client's default.
    pub timeout: Option<Duration>,
}

impl Call {
    /// A call of a model method without arguments.
    pub fn new(model: impl Into<String>, method: impl Into<String>) -> Self {
        Self {
            model: model.into(),
            method: method.into(),
            ids: None,
            arguments: Map::new(),
            context: Map::new(),
            timeout: None,
        }
    }

    /// Calls the method on these records.
    pub fn on(mut self, ids: impl IntoIterator<Item = i64>) -> Self {
        self.ids = Some(ids.into_iter().collect());
        self
    }

    /// Adds a named argument.
    pub fn arg(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.arguments.insert(name.to_owned(), value.into());
        self
    }

    /// Adds a context key.
    pub fn context(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.context.insert(name.to_owned(), value.into());
        self
    }

    /// Sets the longest wait.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = Some(timeout);
        self
    }
}
