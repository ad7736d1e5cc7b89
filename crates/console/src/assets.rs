//! The page's files, inside the program: nothing comes from elsewhere.

use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};

/// Path, media type and content of each file.
const FILES: &[(&str, &str, &str)] = &[
    ("app.css", "text/css; charset=utf-8", include_str!("page/app.css")),
    ("app.js", "text/javascript; charset=utf-8", include_str!("page/app.js")),
    ("dom.js", "text/javascript; charset=utf-8", include_str!("page/dom.js")),
    ("live.js", "text/javascript; charset=utf-8", include_str!("page/live.js")),
    ("upload.js", "text/javascript; charset=utf-8", include_str!("page/upload.js")),
    ("gallery.js", "text/javascript; charset=utf-8", include_str!("page/gallery.js")),
    ("viewer.js", "text/javascript; charset=utf-8", include_str!("page/viewer.js")),
    ("runs.js", "text/javascript; charset=utf-8", include_str!("page/runs.js")),
    ("recipe.js", "text/javascript; charset=utf-8", include_str!("page/recipe.js")),
    ("icon.svg", "image/svg+xml", include_str!("page/icon.svg")),
];

/// The page itself.
pub(crate) const PAGE: &str = include_str!("page/index.html");
/// What the HTTP interface is.
pub(crate) const OPENAPI: &str = include_str!("openapi.json");

/// A file of the page.
pub(crate) fn file(name: &str) -> Response {
    match FILES.iter().find(|(path, _, _)| *path == name) {
        Some((_, media_type, content)) => ([(header::CONTENT_TYPE, *media_type)], *content).into_response(),
        None => StatusCode::NOT_FOUND.into_response(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_needs_nothing_from_elsewhere_and_nothing_inline() {
        for text in FILES.iter().map(|(_, _, text)| *text).chain([PAGE]) {
            let outside = text.replace("http://www.w3.org/2000/svg", "");
            for banned in ["https://", "//cdn", "@import", "javascript:", "innerHTML"] {
                assert!(!outside.contains(banned), "{banned}");
            }
        }
        assert!(!PAGE.contains("<style") && !PAGE.contains(" style=") && !PAGE.contains("<script>"));
        for handler in [" onclick", " onload", " onerror"] {
            assert!(!PAGE.contains(handler), "{handler}");
        }
    }

    #[test]
    fn every_file_that_the_page_names_is_there() {
        for (name, _, text) in
            FILES.iter().filter(|(_, media_type, _)| media_type.starts_with("text/javascript"))
        {
            for imported in text.split("from \"./").skip(1).filter_map(|rest| rest.split('"').next()) {
                assert!(FILES.iter().any(|(path, _, _)| *path == imported), "{name} imports {imported}");
            }
        }
        for part in PAGE.split("\"/page/").skip(1) {
            let name = part.split('"').next().unwrap();
            assert!(FILES.iter().any(|(path, _, _)| *path == name), "{name}");
        }
    }
}
