//! Health: whether this process answers, and when the jobs last went well.

mod http;

pub use self::http::routes;
