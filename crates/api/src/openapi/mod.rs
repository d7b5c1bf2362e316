//! The description of the API in OpenAPI 3.1, made of the table of routes and of the types that go over
//! the wire: `/openapi.json`.
//!
//! Invariant: what is no route is not described, and what is described is a route: both come from one
//! table. Schemas are those serde reads and writes by; a test holds answers to them.

#[cfg(test)]
pub(crate) mod check;
mod operation;

use std::sync::LazyLock;

use axum::http::header;
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use schemars::SchemaGenerator;
use schemars::generate::SchemaSettings;
use serde_json::{Map, Value, json};

pub(crate) use self::operation::{Kind, Operation};
use crate::routes;

static TEXT: LazyLock<Bytes> = LazyLock::new(|| document().to_string().into());

/// `GET /openapi.json`.
pub(crate) async fn serve() -> Response {
    let kind = [(header::CONTENT_TYPE, "application/json")];
    (kind, TEXT.clone()).into_response()
}

/// The whole description.
pub fn document() -> Value {
    let mut settings = SchemaSettings::draft2020_12().for_serialize();
    settings.definitions_path = "/components/schemas".into();
    settings.meta_schema = None;
    let mut answers = settings.into_generator();
    let paths = paths(&mut answers);
    let schemas = answers.take_definitions(true);
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "bruit",
            "summary": "The local API of a node",
            "description": "Every answer that is an error is `{\"error\": {\"code\", \"message\", \"fix\"}}`. \
                Moments are milliseconds since 1970. Streams are server-sent events. `x-scope` is the least a \
                token must be for: `read`, `publish` or `admin`.",
            "version": env!("CARGO_PKG_VERSION"),
            "license": {"name": "MIT OR Apache-2.0", "identifier": "MIT OR Apache-2.0"},
        },
        "servers": [{"url": "/"}],
        "paths": paths,
        "components": {
            "schemas": schemas,
            "securitySchemes": {
                "token": {
                    "type": "http", "scheme": "bearer",
                    "description": "The file `token` in the data folder, or one of `bruit token create`.",
                },
                "session": {
                    "type": "apiKey", "in": "cookie", "name": "bruit_session",
                    "description": "A browser's, from the link of `bruit dashboard`.",
                },
            },
        },
    })
}

fn paths(answers: &mut SchemaGenerator) -> Map<String, Value> {
    let mut paths = Map::new();
    for (route, describe) in routes::described() {
        let (path, verb) = (operation::path(route.path), operation::verb(&route.method));
        let whole = describe(Operation::new(route, answers)).finish();
        let verbs = paths.entry(path).or_insert_with(|| json!({}));
        verbs[verb] = whole;
    }
    paths
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_route_is_described_once_and_every_name_stands_for_one_operation() {
        let document = document();
        let mut names = BTreeSet::new();
        for route in routes::routes() {
            let verbs = &document["paths"][operation::path(route.path)];
            let whole = &verbs[operation::verb(&route.method)];
            let name = whole["operationId"].as_str().expect("it is described");
            assert!(names.insert(name.to_owned()), "{name} twice");
            let scope = route.access.scope().map(crate::types::Scope::as_str);
            assert_eq!(whole["x-scope"].as_str(), scope, "{name}");
            let parameters = whole["parameters"].as_array().unwrap().iter();
            assert!(
                parameters.clone().all(|one| one["description"] != ""),
                "{name} has a parameter nobody explains"
            );
        }
        let verbs = document["paths"].as_object().unwrap().values();
        let described: usize = verbs.map(|verbs| verbs.as_object().unwrap().len()).sum();
        assert_eq!(described, names.len());
    }

    #[test]
    fn every_reference_leads_somewhere() {
        let document = document();
        let text = document.to_string();
        let references = text.split("\"$ref\":\"#").skip(1);
        let mut count = 0;
        for reference in references.filter_map(|rest| rest.split('"').next()) {
            assert!(document.pointer(reference).is_some(), "{reference}");
            count += 1;
        }
        assert!(count > 50, "{count}");
    }
}
