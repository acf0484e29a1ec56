//! What a component imports and exports, read before anything is compiled.

use std::path::Path;

use wasmparser::{Encoding, Parser, Payload};

use crate::error::PluginError;

/// The package that this host speaks.
const PACKAGE: &str = "periplus:discovery";
/// Versions that are compatible with 0.1.0: the same minor version before 1.0.
const VERSION: &str = "0.1.";
/// Interfaces of WASI 0.2 that are linked, with nothing behind most of them.
const WASI: [&str; 6] = ["cli", "clocks", "filesystem", "io", "random", "sockets"];
/// Our interfaces that are linked.
const OFFERED: [&str; 5] = ["types", "log", "http", "dns", "files"];

/// Which worlds a component is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Exports {
    pub(crate) provider: bool,
    pub(crate) transformer: bool,
}

/// Reads the outer layer of a component: that it is one, exports what a plugin must and imports
/// nothing that this host does not offer.
pub(crate) fn inspect(path: &Path, bytes: &[u8]) -> Result<Exports, PluginError> {
    let (imports, exports) = outer(bytes).map_err(|reason| PluginError::NotAComponent {
        path: path.to_owned(),
        reason,
    })?;
    let incompatible = |reason| PluginError::Incompatible {
        path: path.to_owned(),
        reason,
    };
    let missing: Vec<_> = imports.iter().filter(|name| !is_offered(name)).collect();
    if !missing.is_empty() {
        return Err(incompatible(format!(
            "it needs {}; this host offers {PACKAGE}@{VERSION}0 ({}) and WASI 0.2 ({})",
            quoted(missing.into_iter()),
            OFFERED.join(", "),
            WASI.join(", "),
        )));
    }
    let has = |interface| exports.iter().any(|name| is_ours(name, interface));
    let found = Exports {
        provider: has("provider"),
        transformer: has("transformer"),
    };
    if has("plugin") && (found.provider || found.transformer) {
        return Ok(found);
    }
    let named = if exports.is_empty() {
        "nothing".into()
    } else {
        quoted(exports.iter())
    };
    Err(incompatible(format!(
        "it exports {named}, but a plugin exports `{PACKAGE}/plugin@{VERSION}0` and \
         `{PACKAGE}/provider@{VERSION}0` or `{PACKAGE}/transformer@{VERSION}0`"
    )))
}

/// Names of imports and exports of the outermost component.
pub(crate) fn outer(bytes: &[u8]) -> Result<(Vec<String>, Vec<String>), String> {
    if bytes.is_empty() {
        return Err("the file is empty".into());
    }
    if !bytes.starts_with(b"\0asm") {
        return Err("it does not begin with the WebAssembly magic bytes".into());
    }
    let (mut imports, mut exports) = (Vec::new(), Vec::new());
    let mut depth = 0usize;
    for payload in Parser::new(0).parse_all(bytes) {
        match payload.map_err(|e| format!("it is damaged or truncated: {}", e.message()))? {
            Payload::Version {
                encoding: Encoding::Module,
                ..
            } if depth == 0 => {
                return Err(
                    "it is a core module; build it for `wasm32-wasip2`, or wrap it with \
                            `wasm-tools component new`"
                        .into(),
                );
            }
            Payload::ModuleSection { .. } | Payload::ComponentSection { .. } => depth += 1,
            Payload::End(_) => depth = depth.saturating_sub(1),
            Payload::ComponentImportSection(section) if depth == 0 => {
                for import in section {
                    let import = import.map_err(|e| e.message().to_owned())?;
                    imports.push(import.name.name.to_owned());
                }
            }
            Payload::ComponentExportSection(section) if depth == 0 => {
                for export in section {
                    let export = export.map_err(|e| e.message().to_owned())?;
                    exports.push(export.name.name.to_owned());
                }
            }
            _ => {}
        }
    }
    Ok((imports, exports))
}

fn is_offered(name: &str) -> bool {
    if OFFERED.iter().any(|interface| is_ours(name, interface)) {
        return true;
    }
    let Some((package, version)) = name.split_once('@') else {
        // Types and the like, of which the linker has the last word.
        return !name.contains(':');
    };
    let Some(rest) = package.strip_prefix("wasi:") else {
        return false;
    };
    version.starts_with("0.2.") && rest.split_once('/').is_some_and(|(p, _)| WASI.contains(&p))
}

fn is_ours(name: &str, interface: &str) -> bool {
    name.split_once('@').is_some_and(|(package, version)| {
        version.starts_with(VERSION)
            && package
                .split_once('/')
                .is_some_and(|(p, i)| p == PACKAGE && i == interface)
    })
}

fn quoted<'a>(names: impl Iterator<Item = &'a String>) -> String {
    names
        .map(|name| format!("`{name}`"))
        .collect::<Vec<_>>()
        .join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(bytes: &[u8]) -> String {
        inspect(Path::new("x.wasm"), bytes).unwrap_err().to_string()
    }

    #[test]
    fn a_core_module_is_told_how_to_become_a_component() {
        let text = error(&wat::parse_str("(module)").unwrap());
        assert!(
            text.contains("`x.wasm`") && text.contains("core module"),
            "{text}"
        );
    }

    #[test]
    fn other_files_are_named_for_what_they_are() {
        assert!(error(b"").contains("empty"));
        assert!(error(b"#!/bin/sh").contains("magic"));
        let component = wat::parse_str("(component (core module (func)))").unwrap();
        let cut = &component[..component.len() - 3];
        assert!(error(cut).contains("truncated"), "{}", error(cut));
    }

    #[test]
    fn a_component_of_another_world_is_told_what_a_plugin_exports() {
        let text = error(&wat::parse_str("(component)").unwrap());
        assert!(text.contains("exports nothing"), "{text}");
        assert!(text.contains("periplus:discovery/plugin@0.1.0"), "{text}");
    }

    #[test]
    fn an_import_that_is_not_offered_is_named() {
        let component =
            wat::parse_str(r#"(component (import "wasi:http/outgoing-handler@0.2.3" (instance)))"#)
                .unwrap();
        let text = error(&component);
        assert!(
            text.contains("needs `wasi:http/outgoing-handler@0.2.3`"),
            "{text}"
        );
        assert!(text.contains("this host offers"), "{text}");
    }
}
