//! The folder with the page, and a server for it.

use std::collections::BTreeMap;
use std::fs;
use std::io::Write;
use std::path::Path;

use anyhow::{Context, Result, bail};
use axum::Router;
use axum::http::{HeaderName, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use flate2::Compression;
use flate2::write::GzEncoder;
use serde_json::json;
use wasm_encoder::{CustomSection, Section};

use crate::scenes::{self, Member, Scene};

/// Makes the folder anew: the page, the replica, and the scenes with their canisters and code. `root` is
/// the project's folder, `target` the one of cargo.
///
/// # Errors
///
/// If something was not built yet, or can't be written.
pub fn make(root: &Path, target: &Path, folder: &Path) -> Result<()> {
    let wasm = target.join("wasm32-unknown-unknown");
    if folder.exists() {
        if !folder.join("scenes.json").is_file() {
            bail!(
                "{} is there, and is no page: choose another folder",
                folder.display()
            );
        }
        fs::remove_dir_all(folder).with_context(|| format!("can't remove {}", folder.display()))?;
    }
    let put = |name: &str, content: &[u8]| -> Result<()> {
        let path = folder.join(name);
        let made = fs::create_dir_all(path.parent().unwrap_or(folder));
        made.and_then(|()| fs::write(&path, content))
            .with_context(|| format!("can't write {}", path.display()))
    };
    let scenes = scenes::all(root)?;
    put("scenes.json", list(&scenes).to_string().as_bytes())?;
    put("source.json", br#"{"kind": "browser"}"#)?;
    let replica = read(&wasm.join("page/replica.wasm"))?;
    put("replica.wasm.gz", &compress(&replica)?)?;
    let page = root.join("page/web");
    for entry in fs::read_dir(&page).with_context(|| format!("can't read {}", page.display()))? {
        let name = entry?.file_name().to_string_lossy().into_owned();
        if is_page(&name) {
            put(&name, &read(&page.join(&name))?)?;
        }
    }
    for scene in &scenes {
        for (name, member) in &scene.canisters {
            let module = module(root, &wasm, name, member)?;
            put(&module_path(name), &compress(&module)?)?;
            for source in &member.source {
                put(&format!("source/{source}"), &read(&root.join(source))?)?;
            }
        }
    }
    Ok(())
}

/// Whether a file is a part of the page, and not of its tests.
fn is_page(name: &str) -> bool {
    let is_kind = [".html", ".css", ".js", ".svg"]
        .iter()
        .any(|end| name.ends_with(end));
    is_kind && !name.ends_with(".test.js")
}

fn module_path(canister: &str) -> String {
    format!("canisters/{canister}.wasm.gz")
}

/// The scenes as the page reads them.
fn list(scenes: &[Scene]) -> serde_json::Value {
    let scene = |scene: &Scene| {
        let canisters = scene.canisters.iter().map(|(name, member)| {
            let source = member.source.iter().map(|path| format!("source/{path}"));
            json!({
                "name": name,
                "wasm": module_path(name),
                "source": source.collect::<Vec<_>>(),
            })
        });
        json!({
            "name": scene.name,
            "title": scene.title,
            "canisters": canisters.collect::<Vec<_>>(),
            "looks": scene.looks,
            "stories": scene.stories,
        })
    };
    scenes.iter().map(scene).collect()
}

fn read(path: &Path) -> Result<Vec<u8>> {
    fs::read(path).with_context(|| {
        format!(
            "can't read {}; ./scripts/page.sh builds what is needed",
            path.display()
        )
    })
}

/// A canister's module with its interface in its metadata, as `icp` builds it. `wasm` is where cargo has
/// built it.
///
/// # Errors
///
/// If it was not built.
pub fn module(root: &Path, wasm: &Path, name: &str, member: &Member) -> Result<Vec<u8>> {
    let mut module = read(&wasm.join(format!("release/{name}.wasm")))?;
    let candid = read(&root.join(&member.candid))?;
    let section = CustomSection {
        name: "icp:public candid:service".into(),
        data: (&candid).into(),
    };
    section.append_to(&mut module);
    Ok(module)
}

fn compress(bytes: &[u8]) -> Result<Vec<u8>> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(bytes)?;
    Ok(encoder.finish()?)
}

/// Serves what is in the folder now.
///
/// # Errors
///
/// If it can't be read.
pub fn router(folder: &Path) -> Result<Router> {
    let mut files = BTreeMap::new();
    gather(folder, "", &mut files)?;
    let serve = move |uri: Uri| {
        let found = files.get(match uri.path() {
            "/" => "/index.html",
            path => path,
        });
        let answer = found.map_or_else(
            || (StatusCode::NOT_FOUND, "there is no such file").into_response(),
            |(kind, content)| respond(kind, content),
        );
        async { answer }
    };
    Ok(Router::new().fallback(serve))
}

fn respond(kind: &'static str, content: &[u8]) -> Response {
    let headers: [(HeaderName, &str); 3] = [
        (header::CONTENT_TYPE, kind),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::CACHE_CONTROL, "no-cache"),
    ];
    (headers, content.to_vec()).into_response()
}

/// All files of a folder, by their paths in it.
fn gather(
    folder: &Path,
    path: &str,
    files: &mut BTreeMap<String, (&'static str, Vec<u8>)>,
) -> Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let path = format!("{path}/{}", entry.file_name().to_string_lossy());
        match entry.file_type()?.is_dir() {
            true => gather(&entry.path(), &path, files)?,
            false => {
                let kind = kind(&path);
                files.insert(path, (kind, fs::read(entry.path())?));
            }
        }
    }
    Ok(())
}

fn kind(path: &str) -> &'static str {
    match path.rsplit('.').next() {
        Some("html") => "text/html; charset=utf-8",
        Some("css") => "text/css; charset=utf-8",
        Some("js") => "text/javascript; charset=utf-8",
        Some("json") => "application/json",
        Some("svg") => "image/svg+xml",
        Some("rs") => "text/plain; charset=utf-8",
        _ => "application/octet-stream",
    }
}
