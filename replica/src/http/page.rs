//! The page on which messages are delivered by hand, at `/local-replica/`. It is the same as
//! `./scripts/page.sh` builds, and has this replica as its source.

use axum::Router;
use axum::extract::{Path, Request, State};
use axum::http::{StatusCode, header};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::get;

use super::gateway;
use super::shared::Shared;

macro_rules! files {
    ($($name:literal)*) => {
        &[$(($name, include_str!(concat!("../../../page/web/", $name)))),*]
    };
}

/// What the page is made of.
const FILES: &[(&str, &str)] = files!(
    "ask.js" "browser.js" "call.js" "clock.js" "code.js" "code_view.js" "compare.js" "dom.js"
    "explore.js" "focus.js" "icon.svg" "index.html" "labels.js" "lanes.js" "layout.js" "list.js"
    "live.js" "looks.js" "main.js" "names.js" "names_panel.js" "network.js" "page.js"
    "perfetto.js" "picture.css" "picture.js" "predict.js" "save.js" "story.js" "style.css"
    "text.js" "waiting.js" "watch.js" "words.js" "worker.js"
);

/// By this the page knows its source.
const SOURCE: &str = r#"{"kind": "network"}"#;

/// Anybody may load the page. What it then asks for is guarded as all controls are.
pub(super) fn router(shared: &Shared) -> Router<Shared> {
    Router::new()
        .route(
            "/local-replica",
            get(|| async { Redirect::permanent("/local-replica/") }),
        )
        .route("/local-replica/", get(|| async { file("index.html") }))
        .route(
            "/local-replica/{file}",
            get(|Path(name): Path<String>| async move { file(&name) }),
        )
        .route_layer(from_fn_with_state(shared.clone(), below_no_canister))
}

/// At a canister's own host, all pages are the canister's.
async fn below_no_canister(State(shared): State<Shared>, request: Request, next: Next) -> Response {
    match gateway::is_at_a_canister(&shared.access, request.uri(), request.headers()) {
        true => gateway::serve(State(shared), request).await,
        false => next.run(request).await,
    }
}

fn file(name: &str) -> Response {
    let files = FILES.iter().chain([&("source.json", SOURCE)]);
    let Some((_, content)) = { files }.find(|(known, _)| *known == name) else {
        return (
            StatusCode::NOT_FOUND,
            format!("there is no /local-replica/{name}\n"),
        )
            .into_response();
    };
    let kind = match name.rsplit('.').next() {
        Some("html") => "text/html; charset=utf-8",
        Some("css") => "text/css; charset=utf-8",
        Some("js") => "text/javascript; charset=utf-8",
        Some("svg") => "image/svg+xml",
        _ => "application/json",
    };
    let headers = [
        (header::CONTENT_TYPE, kind),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::CACHE_CONTROL, "no-cache"),
        // Another page must not show this one, and have its buttons clicked unseen.
        (header::CONTENT_SECURITY_POLICY, "frame-ancestors 'none'"),
    ];
    (headers, *content).into_response()
}

#[cfg(test)]
mod tests {
    use super::FILES;

    #[test]
    fn page_is_whole() {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../page/web");
        let names = std::fs::read_dir(folder).unwrap();
        let names = names.map(|entry| entry.unwrap().file_name().into_string().unwrap());
        let is_part = |name: &String| {
            let ends = [".test.js", ".d.ts", "jsconfig.json", "package.json"];
            !ends.iter().any(|end| name.ends_with(end))
        };
        let mut names: Vec<String> = names.filter(is_part).collect();
        names.sort();
        let known: Vec<&str> = FILES.iter().map(|(name, _)| *name).collect();
        assert_eq!(known, names);
    }
}
