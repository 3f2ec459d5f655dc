//! The transport over `/xmlrpc/2`: every series from 14 on.

mod codec;

use async_trait::async_trait;
use http::{HeaderMap, HeaderValue, header};
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Value as Json, json};

use super::{
    Call, OdooError,
    transport::{self, Answer, Server, Transport},
};
use codec::{FaultCode, Response};

const COMMON: &str = "xmlrpc/2/common";
const OBJECT: &str = "xmlrpc/2/object";

/// Methods whose first argument must not be named. Odoo itself reads the values of `create` from the first position;
/// the others have different parameter names in different series and models.
const POSITIONAL: [(&str, &str); 3] = [("create", "vals_list"), ("write", "vals"), ("search_count", "domain")];

/// Calls methods by XML-RPC.
pub(super) struct XmlRpc {
    server: Server,
    database: String,
    uid: i64,
    secret: SecretString,
}

impl XmlRpc {
    /// Logs in.
    pub(super) async fn login(
        server: Server,
        database: &str,
        login: &str,
        secret: SecretString,
    ) -> Result<Self, OdooError> {
        let arguments = [json!(database), json!(login), json!(secret.expose_secret()), json!({})];
        let answer = exchange(&server, COMMON, "authenticate", &arguments, None).await?;
        // Odoo answers `False` for a wrong login or secret.
        let Some(uid) = answer.as_i64() else {
            return Err(OdooError::Denied { detail: format!("the login {login:?} or its secret is wrong") });
        };
        Ok(Self { server, database: database.to_owned(), uid, secret })
    }

    /// The user's id.
    pub(super) fn uid(&self) -> i64 {
        self.uid
    }
}

/// The server's version, as `common.version()` tells it. Needs no login.
pub(super) async fn version(server: &Server) -> Result<Json, OdooError> {
    exchange(server, COMMON, "version", &[], None).await
}

#[async_trait]
impl Transport for XmlRpc {
    async fn call(&self, call: &Call) -> Result<Json, OdooError> {
        let mut named = call.arguments.clone();
        let mut positional: Vec<Json> = call.ids.iter().map(|ids| json!(ids)).collect();
        let first = POSITIONAL.iter().find(|(method, _)| *method == call.method);
        if let Some(value) = first.and_then(|(_, argument)| named.remove(*argument)) {
            positional.push(value);
        }
        named.insert("context".to_owned(), Json::Object(call.context.clone()));
        let arguments = [
            json!(self.database),
            json!(self.uid),
            json!(self.secret.expose_secret()),
            json!(call.model),
            json!(call.method),
            Json::Array(positional),
            Json::Object(named),
        ];
        exchange(&self.server, OBJECT, "execute_kw", &arguments, call.timeout).await
    }
}

async fn exchange(
    server: &Server,
    path: &str,
    method: &str,
    arguments: &[Json],
    timeout: Option<std::time::Duration>,
) -> Result<Json, OdooError> {
    let request = codec::write_request(method, arguments.iter().map(codec::from_json));
    let headers = HeaderMap::from_iter([(header::CONTENT_TYPE, HeaderValue::from_static("text/xml"))]);
    let Answer { status, body } = server.post(path, headers, request, timeout).await?;
    match status.as_u16() {
        200 => {}
        404 => return Err(server.absent(path)),
        401 => return Err(OdooError::Denied { detail: "a proxy before Odoo asks for a login (HTTP 401)".to_owned() }),
        403 => {
            return Err(OdooError::Access { message: "a proxy before Odoo refuses the request (HTTP 403)".to_owned() });
        }
        status => return Err(OdooError::Garbled { detail: format!("HTTP {status}") }),
    }
    transport::read(body, read).await
}

pub(super) fn read(body: &[u8]) -> Result<Json, OdooError> {
    match codec::read_response(body) {
        Ok(Response::Value(value)) => Ok(codec::into_json(value)),
        Ok(Response::Fault(fault)) => {
            let error = match fault.code {
                FaultCode::Number(code) => OdooError::from_fault(code, &fault.text),
                FaultCode::Text(code) => Some(OdooError::Refused { kind: "Fault".to_owned(), message: code }),
            };
            error.map_or(Ok(Json::Null), Err)
        }
        Err(error) => Err(OdooError::Garbled { detail: error.to_string() }),
    }
}
