//! The words of HTTP, for everybody who says them: no sockets.

mod headers;
mod origin;
mod request;

pub(crate) use headers::Headers;
pub(crate) use origin::{Authority, Origin, Url, cut_query, join};
pub(crate) use request::{HttpRequest, Method};
