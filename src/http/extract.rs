//! What handlers take from a request, how it is described, and what is answered where it is not right.

use aide::OperationInput;
use aide::generate::GenContext;
use aide::openapi::{MediaType, Operation, RequestBody, SchemaObject};
use aide::operation::{ParamLocation, add_parameters, parameters_from_schema, set_body};
use axum::body::{Body, to_bytes};
use axum::extract::path::ErrorKind;
use axum::extract::rejection::PathRejection;
use axum::extract::{FromRequest, FromRequestParts, Path, Query, Request};
use http::request::Parts;
use indexmap::IndexMap;
use schemars::JsonSchema;
use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::guard::too_large;
use super::openapi::{BEARER, COOKIE, EMIT_TOKEN};
use super::{BODY_LIMIT, Web};
use crate::chat::{outside, passes, sessions};
use crate::decode::{malformed, object};
use crate::error::{Error, Result};
use crate::types::{Actor, RoomName};
use crate::visitor::Visitor;

/// Who sends the request.
pub struct Visit(pub Visitor);

impl<S: Sync> FromRequestParts<S> for Visit {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self> {
        let visitor = parts.extensions.get::<Visitor>().cloned();
        visitor.map(Self).ok_or_else(|| Error::internal(anyhow::anyhow!("a route without its guard")))
    }
}

/// The account that the request's session belongs to; 401 where there is none.
pub struct SignedIn(pub Actor);

impl FromRequestParts<Web> for SignedIn {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, web: &Web) -> Result<Self> {
        let Visit(visitor) = Visit::from_request_parts(parts, web).await?;
        let actor = match &visitor.token {
            Some(token) => sessions::authenticate(&web.app, token, visitor.address).await?,
            None => None,
        };
        actor.map(Self).ok_or_else(|| Error::Unauthenticated("Sign in first.".into()))
    }
}

/// Who speaks in the chat: an account, or a guest by a pass; 401 where it is neither.
pub struct Speaker(pub Actor);

impl FromRequestParts<Web> for Speaker {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, web: &Web) -> Result<Self> {
        let Visit(visitor) = Visit::from_request_parts(parts, web).await?;
        if let Some(token) = &visitor.token
            && let Some(guest) = passes::authenticate(&web.app, token, visitor.address).await?
        {
            return Ok(Self(guest));
        }
        SignedIn::from_request_parts(parts, web).await.map(|SignedIn(actor)| Self(actor))
    }
}

/// A program that may send events.
pub struct Program;

impl FromRequestParts<Web> for Program {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, web: &Web) -> Result<Self> {
        let Visit(visitor) = Visit::from_request_parts(parts, web).await?;
        outside::authorize(&web.app, visitor.token.as_ref().filter(|_| !visitor.by_cookie))?;
        Ok(Self)
    }
}

/// A JSON body, with errors that name the field.
pub struct ApiJson<T>(pub T);

impl<T: DeserializeOwned> FromRequest<Web> for ApiJson<T> {
    type Rejection = Error;

    async fn from_request(request: Request, _: &Web) -> Result<Self> {
        let bytes = to_bytes(request.into_body(), BODY_LIMIT).await.map_err(|_| too_large())?;
        let text = std::str::from_utf8(&bytes).map_err(|_| malformed("The body is not UTF-8."))?;
        let text = if text.trim().is_empty() { "{}" } else { text };
        object(text, |_| None).map(Self)
    }
}

/// The parts of the path that differ.
pub struct ApiPath<T>(pub T);

impl<T: DeserializeOwned + Send> FromRequestParts<Web> for ApiPath<T> {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, web: &Web) -> Result<Self> {
        match Path::from_request_parts(parts, web).await {
            Ok(Path(path)) => Ok(Self(path)),
            Err(PathRejection::FailedToDeserializePathParams(error)) => match error.into_kind() {
                ErrorKind::DeserializeError { key, message, .. } => Err(Error::invalid(&key, message)),
                ErrorKind::InvalidUtf8InPathParam { key } => Err(Error::invalid(&key, "must be UTF-8")),
                other => Err(Error::invalid("path", other.to_string())),
            },
            Err(other) => Err(Error::internal(other)),
        }
    }
}

/// Of one thing, by its id.
#[derive(Deserialize, JsonSchema)]
#[schemars(rename = "ById")]
pub struct ById<T> {
    pub id: T,
}

/// Of one room, by its name.
#[derive(Deserialize, JsonSchema)]
pub struct OfRoom {
    #[schemars(extend("examples" = ["public"]))]
    pub room: RoomName,
}

/// What stands behind the `?`.
pub struct ApiQuery<T>(pub T);

impl<T: DeserializeOwned> FromRequestParts<Web> for ApiQuery<T> {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, web: &Web) -> Result<Self> {
        let query = Query::from_request_parts(parts, web).await;
        query.map(|Query(query)| Self(query)).map_err(|rejection| Error::invalid("query", rejection.body_text()))
    }
}

/// The bytes of a file, as they come.
pub struct FileBody(pub Body);

impl FromRequest<Web> for FileBody {
    type Rejection = Error;

    async fn from_request(request: Request, _: &Web) -> Result<Self> {
        Ok(Self(request.into_body()))
    }
}

impl OperationInput for Visit {}

impl OperationInput for SignedIn {
    fn operation_input(_: &mut GenContext, operation: &mut Operation) {
        operation.security = [BEARER, COOKIE].map(|scheme| IndexMap::from([(scheme.to_owned(), Vec::new())])).into();
    }
}

impl OperationInput for Speaker {
    fn operation_input(context: &mut GenContext, operation: &mut Operation) {
        SignedIn::operation_input(context, operation);
    }
}

impl OperationInput for Program {
    fn operation_input(_: &mut GenContext, operation: &mut Operation) {
        operation.security = vec![IndexMap::from([(EMIT_TOKEN.to_owned(), Vec::new())])];
    }
}

impl<T: JsonSchema> OperationInput for ApiPath<T> {
    fn operation_input(context: &mut GenContext, operation: &mut Operation) {
        parameters::<T>(context, operation, ParamLocation::Path);
    }
}

impl<T: JsonSchema> OperationInput for ApiQuery<T> {
    fn operation_input(context: &mut GenContext, operation: &mut Operation) {
        parameters::<T>(context, operation, ParamLocation::Query);
    }
}

impl<T: JsonSchema> OperationInput for ApiJson<T> {
    fn operation_input(context: &mut GenContext, operation: &mut Operation) {
        let schema = context.schema.subschema_for::<T>();
        let required = context.resolve_schema(&schema).get("required").is_some();
        let schema = SchemaObject { json_schema: schema, external_docs: None, example: None };
        body(context, operation, "application/json", Some(schema), required);
    }
}

impl OperationInput for FileBody {
    fn operation_input(context: &mut GenContext, operation: &mut Operation) {
        // A file may be empty.
        body(context, operation, "application/octet-stream", None, false);
    }
}

fn parameters<T: JsonSchema>(context: &mut GenContext, operation: &mut Operation, place: ParamLocation) {
    let schema = context.schema.subschema_for::<T>();
    let parameters = parameters_from_schema(context, schema, place);
    add_parameters(context, operation, parameters);
}

fn body(context: &mut GenContext, operation: &mut Operation, kind: &str, schema: Option<SchemaObject>, required: bool) {
    let content = IndexMap::from([(kind.to_owned(), MediaType { schema, ..MediaType::default() })]);
    let body = RequestBody { content, required, ..RequestBody::default() };
    set_body(context, operation, body);
}
