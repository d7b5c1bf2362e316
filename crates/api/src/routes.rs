//! Every route in one table ([`table`]): the router is built from it, the guard and the description read
//! it, the tests walk it.

mod table;

use axum::Router;
use axum::extract::{MatchedPath, Request};
use axum::http::{HeaderValue, Method, StatusCode, header};
use axum::middleware;
use axum::response::{IntoResponse as _, Response};
use axum::routing::{MethodFilter, MethodRouter};

use crate::error::ApiError;
use crate::guard;
use crate::handlers::App;
use crate::openapi::Operation;
use crate::types::Scope;

use self::table::TABLE;

/// What a route asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// Nothing: it says nothing about the node but whether it works.
    Open,
    /// A token, or the session of a browser that was let in.
    Read,
    /// One with which one may speak in the node's name.
    Publish,
    /// One with which one may decide over the node.
    Admin,
}

impl Access {
    /// The least a token must be for.
    pub const fn scope(self) -> Option<Scope> {
        match self {
            Self::Open => None,
            Self::Read => Some(Scope::Read),
            Self::Publish => Some(Scope::Publish),
            Self::Admin => Some(Scope::Admin),
        }
    }
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
    TABLE.iter().map(Route::info)
}

/// Every route with its description.
pub(crate) fn described() -> impl Iterator<Item = (RouteInfo, Describe)> {
    TABLE.iter().map(|route| (route.info(), route.describe))
}

/// Writes the description of a route.
pub(crate) type Describe = fn(Operation<'_>) -> Operation<'_>;

/// What the route of `method` and `path` asks for; `None` when there is none.
pub(crate) fn access(method: &Method, path: &str) -> Option<Access> {
    // What answers GET answers HEAD as well.
    let method = if *method == Method::HEAD {
        &Method::GET
    } else {
        method
    };
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

async fn no_method(request: Request) -> Response {
    let path = request.uri().path().escape_debug().to_string();
    let matched = request.extensions().get::<MatchedPath>();
    let matched = matched.map_or("", MatchedPath::as_str);
    let others = TABLE.iter().filter(|route| route.path == matched);
    let others: Vec<_> = others
        .map(|route| route.verb.method().to_string())
        .collect();
    let allowed = HeaderValue::from_str(&others.join(", ")).expect("the names of methods");
    let error = ApiError::new(
        StatusCode::METHOD_NOT_ALLOWED,
        "method_not_allowed",
        format!("{path} has no {}", request.method()),
        format!("use {}", others.join(" or ")),
    );
    ([(header::ALLOW, allowed)], error).into_response()
}

#[derive(Debug, Clone, Copy)]
enum Verb {
    Get,
    Post,
    Put,
    Delete,
}

impl Verb {
    fn method(self) -> Method {
        match self {
            Self::Get => Method::GET,
            Self::Post => Method::POST,
            Self::Put => Method::PUT,
            Self::Delete => Method::DELETE,
        }
    }

    fn filter(self) -> MethodFilter {
        match self {
            Self::Get => MethodFilter::GET,
            Self::Post => MethodFilter::POST,
            Self::Put => MethodFilter::PUT,
            Self::Delete => MethodFilter::DELETE,
        }
    }
}

struct Route {
    verb: Verb,
    path: &'static str,
    access: Access,
    handler: fn(MethodFilter) -> MethodRouter<App>,
    describe: Describe,
}

impl Route {
    fn info(&self) -> RouteInfo {
        RouteInfo {
            method: self.verb.method(),
            path: self.path,
            access: self.access,
        }
    }
}

const fn route(
    verb: Verb,
    path: &'static str,
    access: Access,
    handler: fn(MethodFilter) -> MethodRouter<App>,
    describe: Describe,
) -> Route {
    Route {
        verb,
        path,
        access,
        handler,
        describe,
    }
}
