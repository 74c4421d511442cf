//! Health: whether this process answers. What it depends on is not asked.

mod http;

pub use self::http::routes;
