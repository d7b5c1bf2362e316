//! What a route takes and answers, said beside it in the table of routes.

use axum::http::{Method, StatusCode};
use schemars::generate::SchemaSettings;
use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde_json::{Map, Value, json};

use crate::routes::{Access, RouteInfo};
use crate::text;
use crate::types::{ErrorBody, Scope};

/// How a query parameter is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Any text.
    Text,
    /// Any text; it may be given several times.
    Texts,
    /// `true`, `false`, or nothing for `true`.
    Flag,
    /// A whole number.
    Number,
    /// A time such as `10s`.
    Time,
    /// What to wait for: `accepted`, `stored`, `spread:K`.
    Word,
    /// One of these.
    OneOf(&'static [&'static str]),
}

impl Kind {
    fn schema(self) -> Value {
        match self {
            Self::Text => json!({"type": "string"}),
            Self::Texts => json!({"type": "array", "items": {"type": "string"}}),
            Self::Flag => json!({"type": "boolean"}),
            Self::Number => json!({"type": "integer", "minimum": 0}),
            Self::Time => json!({"type": "string", "pattern": text::DURATION_PATTERN}),
            Self::Word => json!({"type": "string", "pattern": text::WAIT_PATTERN}),
            Self::OneOf(words) => json!({"type": "string", "enum": words}),
        }
    }
}

/// The description of one operation, being written.
#[derive(Debug)]
pub(crate) struct Operation<'a> {
    route: RouteInfo,
    /// Of answers; those of requests are written out where they stand.
    answers: &'a mut SchemaGenerator,
    id: &'static str,
    summary: &'static str,
    parameters: Vec<Value>,
    body: Option<Value>,
    responses: Map<String, Value>,
}

impl<'a> Operation<'a> {
    pub(super) fn new(route: RouteInfo, answers: &'a mut SchemaGenerator) -> Self {
        let mut operation = Self {
            parameters: path_parameters(route.path),
            route,
            answers,
            id: "",
            summary: "",
            body: None,
            responses: Map::new(),
        };
        operation = operation.fails(&[400, 403, 429]);
        let no_body = json!({"description": "the head of the request is too long"});
        operation.responses.insert("431".to_owned(), no_body);
        match operation.route.access {
            Access::Open => operation,
            _ => operation.fails(&[401, 503]),
        }
    }

    /// What programs and people call it.
    #[must_use]
    pub(crate) fn named(mut self, id: &'static str, summary: &'static str) -> Self {
        (self.id, self.summary) = (id, summary);
        self
    }

    /// A query parameter, which may be left out.
    #[must_use]
    pub(crate) fn query(mut self, name: &str, about: &str, kind: Kind) -> Self {
        self.parameters.push(json!({
            "name": name, "in": "query", "description": about, "required": false,
            "schema": kind.schema(),
        }));
        self
    }

    /// A query parameter that must be there.
    #[must_use]
    pub(crate) fn needs(self, name: &str, about: &str, kind: Kind) -> Self {
        let mut all = self.query(name, about, kind);
        if let Some(last) = all.parameters.last_mut() {
            last["required"] = true.into();
        }
        all
    }

    /// A header, which may be left out.
    #[must_use]
    pub(crate) fn header(mut self, name: &str, about: &str) -> Self {
        self.parameters.push(json!({
            "name": name, "in": "header", "description": about, "required": false,
            "schema": {"type": "string"},
        }));
        self
    }

    /// A body of JSON.
    #[must_use]
    pub(crate) fn takes<T: JsonSchema>(self) -> Self {
        let mut settings = SchemaSettings::draft2020_12();
        settings.inline_subschemas = true;
        settings.meta_schema = None;
        let schema = settings.into_generator().into_root_schema_for::<T>();
        self.body("application/json", &schema.to_value())
    }

    /// A body of bytes.
    #[must_use]
    pub(crate) fn takes_octets(self) -> Self {
        self.body("application/octet-stream", &json!({}))
    }

    fn body(mut self, kind: &str, schema: &Value) -> Self {
        self.body = Some(json!({"required": true, "content": {kind: {"schema": schema}}}));
        self.fails(&[408, 413, 415])
    }

    /// Answers 200 with this JSON.
    #[must_use]
    pub(crate) fn answers<T: JsonSchema>(self) -> Self {
        self.answers_with::<T>(200)
    }

    /// Answers `status` with this JSON.
    #[must_use]
    pub(crate) fn answers_with<T: JsonSchema>(self, status: u16) -> Self {
        let schema = self.answers.subschema_for::<T>();
        self.respond(status, "application/json", schema)
    }

    /// Answers 200 with server-sent events, the data of each is this JSON.
    #[must_use]
    pub(crate) fn streams<T: JsonSchema>(mut self, events: &str) -> Self {
        let schema = self.answers.subschema_for::<T>().to_value();
        self.responses.insert(
            "200".to_owned(),
            json!({
                "description": events,
                "content": {"text/event-stream": {"schema": {"type": "string"}, "x-event-data": schema}},
            }),
        );
        self
    }

    /// Turns into a socket on which clients say the one and hear the other.
    #[must_use]
    pub(crate) fn opens<Said: JsonSchema, Heard: JsonSchema>(mut self) -> Self {
        let said = self.answers.subschema_for::<Said>().to_value();
        let heard = self.answers.subschema_for::<Heard>().to_value();
        let response = json!({
            "description": "the connection is a WebSocket now",
            "x-client-messages": said,
            "x-server-messages": heard,
        });
        self.responses.insert("101".to_owned(), response);
        self
    }

    /// Answers `status` with something that is no JSON.
    #[must_use]
    pub(crate) fn answers_as(self, status: u16, kind: &str) -> Self {
        self.respond(status, kind, Schema::default())
    }

    /// Answers `status` without a body.
    #[must_use]
    pub(crate) fn answers_bare(mut self, status: u16) -> Self {
        let response = json!({"description": reason(status)});
        self.responses.insert(status.to_string(), response);
        self
    }

    fn respond(mut self, status: u16, kind: &str, schema: Schema) -> Self {
        let content = json!({kind: {"schema": schema.to_value()}});
        let response = json!({"description": reason(status), "content": content});
        self.responses.insert(status.to_string(), response);
        self
    }

    /// Answers these statuses with an error.
    #[must_use]
    pub(crate) fn fails(mut self, statuses: &[u16]) -> Self {
        for status in statuses {
            let schema = self.answers.subschema_for::<ErrorBody>();
            self = self.respond(*status, "application/json", schema);
        }
        self
    }

    pub(super) fn finish(self) -> Value {
        assert!(!self.id.is_empty(), "{} has no name", self.route.path);
        let scope = self.route.access.scope().map(Scope::as_str);
        let mut whole = json!({
            "operationId": self.id,
            "summary": self.summary,
            "tags": [tag(self.route.path)],
            "parameters": self.parameters,
            "responses": self.responses,
            "security": match scope {
                None => json!([]),
                Some(scope) => json!([{"token": [scope]}, {"session": []}]),
            },
        });
        if let Some(scope) = scope {
            whole["x-scope"] = scope.into();
        }
        if let Some(body) = self.body {
            whole["requestBody"] = body;
        }
        whole
    }
}

/// The method as a key of a path.
pub(super) fn verb(method: &Method) -> String {
    method.as_str().to_ascii_lowercase()
}

/// The path as the document writes it: a parameter that takes slashes is one like the others.
pub(super) fn path(path: &str) -> String {
    path.replace("{*", "{")
}

fn path_parameters(path: &str) -> Vec<Value> {
    let names = path
        .split('{')
        .skip(1)
        .filter_map(|rest| rest.split('}').next());
    let parameter = |name: &str| {
        let name = name.trim_start_matches('*');
        json!({
            "name": name, "in": "path", "required": true, "description": about(path, name),
            "schema": {"type": "string", "minLength": 1},
        })
    };
    names.map(parameter).collect()
}

/// What a parameter of a path is.
fn about(path: &str, name: &str) -> &'static str {
    match (path, name) {
        ("/v1/tokens/{id}", _) => "the token's id, from the list",
        (path, "id") if path.starts_with("/v1/peers") => {
            "a node's id, or at least 8 characters of it"
        }
        (path, "id") if path.starts_with("/v1/letters/contacts") => "a contact's id or name",
        (path, "id") if path.starts_with("/v1/files") => "the id of a bulletin, whole",
        (_, "id") => "an id, or at least 8 characters of one that is held here",
        (_, "author") => {
            "an author's id, at least 8 characters of it, or the name of a key of this node"
        }
        (path, "name") if path.starts_with("/v1/keys") => "the key's name",
        (_, "name") => "the value's name; slashes may stand in it",
        (_, "question") => "the number of a question",
        (_, "posting") => "the number of a letter to another system",
        (_, "file") => "the name of a file",
        _ => "",
    }
}

/// The word that groups it: the first one of its path.
fn tag(path: &str) -> &str {
    let path = path.trim_start_matches("/v1").trim_start_matches('/');
    let end = path.find('/').unwrap_or(path.len());
    path.get(..end).unwrap_or(path)
}

fn reason(status: u16) -> &'static str {
    match status {
        200 => "what was asked for",
        400 => "the request has no meaning here: the message says what is wrong",
        401 => "there is no token, or none that is valid",
        402 => "more work is needed than may be done",
        403 => "the token is not for this, or the request comes from elsewhere than it should",
        404 => "there is no such thing",
        409 => "it is not as the request takes it to be",
        416 => "the content has no such bytes",
        423 => "a key is under a passphrase",
        429 => "too much at a time: Retry-After says when to go on",
        503 => "the node has stopped",
        504 => "it did not come true in time",
        507 => "there is no room for it",
        other => StatusCode::from_u16(other)
            .ok()
            .and_then(|status| status.canonical_reason())
            .unwrap_or("an answer"),
    }
}
