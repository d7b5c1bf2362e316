//! Every route in one table: the router is built from it, the guard reads it, the tests walk it.

use axum::Router;
use axum::extract::Request;
use axum::http::{Method, StatusCode};
use axum::middleware;
use axum::routing::{MethodFilter, MethodRouter, on};

use crate::error::ApiError;
use crate::guard;
use crate::handlers::{
    App, bulletins, bundles, files, keys, letters, peers, state, topology, validate, values,
};
use crate::ui;

/// What a route asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// Nothing: it says nothing about the node but whether it works.
    Open,
    /// The node's token, or the session of a browser that was let in.
    Token,
}

/// One route, as others may know it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RouteInfo {
    /// The HTTP method.
    pub method: Method,
    /// The path, parameters in braces.
    pub path: &'static str,
    /// What it asks for.
    pub access: Access,
}

/// Every route.
pub fn routes() -> impl Iterator<Item = RouteInfo> {
    TABLE.iter().map(|route| RouteInfo {
        method: route.verb.method(),
        path: route.path,
        access: route.access,
    })
}

/// What the route of `method` and `path` asks for; `None` when there is none.
pub(crate) fn access(method: &Method, path: &str) -> Option<Access> {
    let mut all = TABLE.iter();
    all.find(|route| route.path == path && route.verb.method() == *method)
        .map(|route| route.access)
}

/// The router: every route behind the guard, and the guard before what is no route, too.
pub(crate) fn router(app: App) -> Router {
    let routes = TABLE.iter().fold(Router::new(), |router, route| {
        router.route(route.path, (route.handler)(route.verb.filter()))
    });
    routes
        .fallback(no_route)
        .method_not_allowed_fallback(no_method)
        .layer(middleware::from_fn_with_state(app.clone(), guard::guard))
        .with_state(app)
}

async fn no_route(request: Request) -> ApiError {
    ApiError::not_found(
        format!("there is no {}", request.uri().path().escape_debug()),
        "the routes begin with /v1/: GET /v1/status is one",
    )
}

async fn no_method(request: Request) -> ApiError {
    let path = request.uri().path();
    let others = TABLE.iter().filter(|route| route.path == path);
    let others: Vec<_> = others
        .map(|route| route.verb.method().to_string())
        .collect();
    ApiError::new(
        StatusCode::METHOD_NOT_ALLOWED,
        "method_not_allowed",
        format!("{path} has no {}", request.method()),
        format!("use {}", others.join(" or ")),
    )
}

#[derive(Debug, Clone, Copy)]
enum Verb {
    Get,
    Post,
    Delete,
}

impl Verb {
    fn method(self) -> Method {
        match self {
            Self::Get => Method::GET,
            Self::Post => Method::POST,
            Self::Delete => Method::DELETE,
        }
    }

    fn filter(self) -> MethodFilter {
        match self {
            Self::Get => MethodFilter::GET,
            Self::Post => MethodFilter::POST,
            Self::Delete => MethodFilter::DELETE,
        }
    }
}

struct Route {
    verb: Verb,
    path: &'static str,
    access: Access,
    handler: fn(MethodFilter) -> MethodRouter<App>,
}

const fn route(
    verb: Verb,
    path: &'static str,
    access: Access,
    handler: fn(MethodFilter) -> MethodRouter<App>,
) -> Route {
    Route {
        verb,
        path,
        access,
        handler,
    }
}

static TABLE: &[Route] = {
    use Access::{Open, Token};
    use Verb::{Delete, Get, Post};
    &[
        route(Post, "/v1/bulletins", Token, |verb| {
            on(verb, bulletins::publish)
        }),
        route(Get, "/v1/bulletins/{id}", Token, |verb| {
            on(verb, values::by_id)
        }),
        route(Post, "/v1/bulletins/{id}/boost", Token, |verb| {
            on(verb, values::boost)
        }),
        route(Post, "/v1/values", Token, |verb| on(verb, values::put)),
        route(Get, "/v1/values", Token, |verb| on(verb, values::list)),
        route(Get, "/v1/values/{id}", Token, |verb| {
            on(verb, values::by_id)
        }),
        route(Get, "/v1/values/{author}/{*name}", Token, |verb| {
            on(verb, values::by_name)
        }),
        route(Delete, "/v1/values/{author}/{*name}", Token, |verb| {
            on(verb, values::delete)
        }),
        route(Get, "/v1/follow/{author}/{*name}", Token, |verb| {
            on(verb, values::follow)
        }),
        route(Post, "/v1/files", Token, |verb| on(verb, files::put)),
        route(Get, "/v1/files/{id}", Token, |verb| on(verb, files::get)),
        route(Get, "/v1/subscribe", Token, |verb| {
            on(verb, bulletins::subscribe)
        }),
        route(Get, "/v1/validate", Token, |verb| {
            on(verb, validate::questions)
        }),
        route(Post, "/v1/validate/{question}", Token, |verb| {
            on(verb, validate::answer)
        }),
        route(Get, "/v1/bundle", Token, |verb| on(verb, bundles::export)),
        route(Post, "/v1/bundle", Token, |verb| on(verb, bundles::import)),
        route(Post, "/v1/letters", Token, |verb| on(verb, letters::send)),
        route(Get, "/v1/letters", Token, |verb| on(verb, letters::outbox)),
        route(Get, "/v1/letters/{id}", Token, |verb| {
            on(verb, letters::sent)
        }),
        route(Get, "/v1/letters/inbox", Token, |verb| {
            on(verb, letters::inbox)
        }),
        route(Delete, "/v1/letters/inbox/{id}", Token, |verb| {
            on(verb, letters::remove)
        }),
        route(Get, "/v1/letters/mail", Token, |verb| {
            on(verb, letters::mail)
        }),
        route(Post, "/v1/letters/rotate", Token, |verb| {
            on(verb, letters::rotate)
        }),
        route(Get, "/v1/letters/contacts", Token, |verb| {
            on(verb, letters::contacts)
        }),
        route(Post, "/v1/letters/contacts", Token, |verb| {
            on(verb, letters::add_contact)
        }),
        route(Delete, "/v1/letters/contacts/{id}", Token, |verb| {
            on(verb, letters::remove_contact)
        }),
        route(Get, "/v1/peers", Token, |verb| on(verb, peers::list)),
        route(Post, "/v1/peers", Token, |verb| on(verb, peers::join)),
        route(Get, "/v1/peers/{id}", Token, |verb| on(verb, peers::show)),
        route(Delete, "/v1/peers/{id}", Token, |verb| {
            on(verb, peers::drop)
        }),
        route(Get, "/v1/members", Token, |verb| on(verb, peers::members)),
        route(Get, "/v1/topics", Token, |verb| on(verb, state::topics)),
        route(Get, "/v1/topology", Token, |verb| {
            on(verb, topology::topology)
        }),
        route(Get, "/v1/traces", Token, |verb| on(verb, topology::list)),
        route(Get, "/v1/traces/{id}", Token, |verb| {
            on(verb, topology::trace)
        }),
        route(Get, "/v1/status", Token, |verb| on(verb, state::status)),
        route(Get, "/v1/identity", Token, |verb| on(verb, state::identity)),
        route(Post, "/v1/keys/{name}/unlock", Token, |verb| {
            on(verb, keys::unlock)
        }),
        route(Post, "/v1/keys/{name}/lock", Token, |verb| {
            on(verb, keys::lock)
        }),
        route(Get, "/healthz", Open, |verb| on(verb, state::healthy)),
        route(Get, "/readyz", Open, |verb| on(verb, state::ready)),
        route(Get, "/ui/", Open, |verb| on(verb, ui::index)),
        route(Get, "/ui/login", Open, |verb| on(verb, ui::login)),
        route(Get, "/ui/{*file}", Open, |verb| on(verb, ui::file)),
    ]
};
