//! The transport over `/json/2`: Odoo 19 and later, with an API key. Names exceptions, carries `null`.

use async_trait::async_trait;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use secrecy::{ExposeSecret, SecretString};
use serde::Serialize;
use serde_json::{Map, Value, json};

use super::{
    Call, OdooError,
    transport::{self, Answer, Server, Transport},
};

const DATABASE: HeaderName = HeaderName::from_static("x-odoo-database");

/// Calls methods by JSON.
pub(super) struct Json2 {
    server: Server,
    headers: HeaderMap,
    uid: i64,
}

impl Json2 {
    /// Makes sure that the key is valid and belongs to `login`.
    pub(super) async fn login(
        server: Server,
        database: &str,
        login: &str,
        secret: &SecretString,
    ) -> Result<Self, OdooError> {
        let header = |text: &str, what| {
            HeaderValue::from_str(text)
                .map_err(|_| OdooError::Denied { detail: format!("{what} holds characters that HTTP cannot carry") })
        };
        let mut token = header(&format!("bearer {}", secret.expose_secret()), "the key")?;
        token.set_sensitive(true);
        let headers = HeaderMap::from_iter([
            (header::CONTENT_TYPE, HeaderValue::from_static("application/json")),
            (header::AUTHORIZATION, token),
            (DATABASE, header(database, "the database's name")?),
        ]);
        let mut this = Self { server, headers, uid: 0 };
        let detail = match this.send(&Call::new("res.users", "context_get")).await {
            Ok(Some(context)) => {
                this.uid = context["uid"].as_i64().unwrap_or_default();
                return this.check_login(login).await;
            }
            Ok(None) => format!("there is no database {database:?} here, or something hides its /json/2"),
            Err(OdooError::Denied { detail }) => format!("{detail} (json2 takes an API key, not a password)"),
            Err(error) => return Err(error),
        };
        Err(OdooError::Denied { detail })
    }

    async fn check_login(self, login: &str) -> Result<Self, OdooError> {
        let users = self.call(&Call::new("res.users", "read").on([self.uid]).arg("fields", json!(["login"]))).await?;
        match users[0]["login"].as_str() {
            Some(found) if found == login => Ok(self),
            _ => Err(OdooError::Denied { detail: format!("the key does not belong to the login {login:?}") }),
        }
    }

    /// Calls once. `None` if there is nothing at the address: no `/json/2`, or not for this database.
    async fn send(&self, call: &Call) -> Result<Option<Value>, OdooError> {
        let Call { arguments, ids, context, .. } = call;
        let body = serde_json::to_vec(&Body { arguments, ids: ids.as_deref(), context });
        let body = body.map_err(|error| OdooError::Garbled { detail: error.to_string() })?;
        let Answer { status, body } =
            self.server.post(&address(call), self.headers.clone(), body, call.timeout).await?;
        if status == StatusCode::OK {
            return transport::read(body, read).await.map(Some);
        }
        failure(status, &body).map_or(Ok(None), Err)
    }

    /// The user's id.
    pub(super) fn uid(&self) -> i64 {
        self.uid
    }
}

/// What is posted: nothing is copied, since a file may be among the arguments.
#[derive(Serialize)]
struct Body<'a> {
    #[serde(flatten)]
    arguments: &'a Map<String, Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    ids: Option<&'a [i64]>,
    context: &'a Map<String, Value>,
}

#[async_trait]
impl Transport for Json2 {
    async fn call(&self, call: &Call) -> Result<Value, OdooError> {
        self.send(call).await?.ok_or_else(|| self.server.absent(&address(call)))
    }
}

fn address(call: &Call) -> String {
    format!("json/2/{}/{}", call.model, call.method)
}

pub(super) fn read(body: &[u8]) -> Result<Value, OdooError> {
    serde_json::from_slice(body).map_err(|_| OdooError::Garbled { detail: "it is not JSON".to_owned() })
}

/// The error behind an answer that is not 200: `{"name": "odoo.exceptions.UserError", "message": "…", …}`. `None` if
/// it is a page that says that there is nothing.
pub(super) fn failure(status: StatusCode, body: &[u8]) -> Option<OdooError> {
    let answer: Value = serde_json::from_slice(body).unwrap_or_default();
    Some(match (status.as_u16(), answer["name"].as_str(), answer["message"].as_str()) {
        (401, _, message) => OdooError::Denied { detail: message.unwrap_or("the key is not valid").trim().to_owned() },
        (_, Some(name), Some(message)) => OdooError::from_exception(name, message),
        (403, ..) => OdooError::Access { message: "a proxy before Odoo refuses the request (HTTP 403)".to_owned() },
        (404, ..) => return None,
        (status, ..) => OdooError::Garbled { detail: format!("HTTP {status}") },
    })
}
