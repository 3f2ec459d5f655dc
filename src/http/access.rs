//! Who may ask: bearer tokens.

use axum::{extract::FromRequestParts, http::request::Parts};

use super::{Shared, error::ApiError};

/// A handler that takes this is reached only with a token.
pub(super) struct Authorized;

impl FromRequestParts<Shared> for Authorized {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, context: &Shared) -> Result<Self, ApiError> {
        context.app.registry.tokens().check(&parts.headers)?;
        Ok(Self)
    }
}

/// The same, except where only this machine can ask: its monitoring needs no token.
pub(super) struct Local;

impl FromRequestParts<Shared> for Local {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, context: &Shared) -> Result<Self, ApiError> {
        if !context.loopback {
            Authorized::from_request_parts(parts, context).await?;
        }
        Ok(Self)
    }
}
