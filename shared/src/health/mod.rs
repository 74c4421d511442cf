//! Health: whether this process answers, and how it stands with everything that it needs.

mod body;
mod http;
mod model;
mod service;

pub use self::{http::routes, service::LastLook};
