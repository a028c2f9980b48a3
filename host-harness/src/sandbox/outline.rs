//! What a component says of itself before it is compiled: what it imports and
//! exports, and how much there is to compile.
//!
//! One walk over the bytes, linear and without a compiler. That names of the
//! contract also have its types is found out after compilation, by wasmtime.

use wasmparser::{ComponentExternName, Parser, Payload};

use super::{LoadLimits, boundary::clean, error::LoadProblem, imports};

/// Every component of the contract exports these. A later version that is
/// compatible is welcome, so only the first two numbers count.
const EXPORTS: [&str; 3] = [
    "mcp-gateway:hooks/lifecycle@0.1.",
    "mcp-gateway:hooks/tool-post-invoke@0.1.",
    "mcp-gateway:hooks/resource-post-fetch@0.1.",
];

/// What it tells.
#[derive(Default)]
struct Outline {
    imports: Vec<String>,
    exports: Vec<String>,
    functions: usize,
    /// The size of the largest function.
    function_bytes: usize,
    /// The most local variables of one function.
    locals: usize,
}

/// Refuses what cannot be of the contract, or has more to compile than the
/// limits allow.
pub(super) fn check(bytes: &[u8], limits: &LoadLimits) -> Result<(), LoadProblem> {
    let outline = Outline::of(bytes).map_err(|error| {
        let told = format!("{} (at byte {})", error.message(), error.offset());
        LoadProblem::Invalid(clean(&told))
    })?;
    imports::allowed(outline.imports.iter().map(String::as_str))?;
    for export in EXPORTS {
        if !outline.exports.iter().any(|name| name.starts_with(export)) {
            let name = export.trim_end_matches('.');
            return Err(LoadProblem::WrongShape(format!("it does not export `{name}.0`")));
        }
    }
    for (what, found, most) in [
        ("functions", outline.functions, limits.functions),
        ("bytes in one function", outline.function_bytes, limits.function_bytes),
        ("local variables in one function", outline.locals, limits.locals),
    ] {
        if found > most {
            return Err(LoadProblem::TooMuchCode { what, found, most });
        }
    }
    Ok(())
}

impl Outline {
    fn of(bytes: &[u8]) -> wasmparser::Result<Self> {
        let mut outline = Self::default();
        // How many modules and components the present one is within.
        let mut depth = 0_usize;
        for payload in Parser::new(0).parse_all(bytes) {
            match payload? {
                Payload::ModuleSection { .. } | Payload::ComponentSection { .. } => depth += 1,
                Payload::End(_) => depth = depth.saturating_sub(1),
                Payload::ComponentImportSection(imports) if depth == 0 => {
                    for import in imports {
                        outline.imports.push(whole(import?.name));
                    }
                }
                Payload::ComponentExportSection(exports) if depth == 0 => {
                    for export in exports {
                        outline.exports.push(whole(export?.name));
                    }
                }
                Payload::CodeSectionEntry(body) => {
                    outline.functions += 1;
                    outline.function_bytes = outline.function_bytes.max(body.range().len());
                    let mut locals = 0_usize;
                    for group in body.get_locals_reader()? {
                        let (count, _) = group?;
                        locals =
                            locals.saturating_add(usize::try_from(count).unwrap_or(usize::MAX));
                    }
                    outline.locals = outline.locals.max(locals);
                }
                _ => {}
            }
        }
        Ok(outline)
    }
}

/// A name with its whole version.
fn whole(name: ComponentExternName<'_>) -> String {
    format!("{}{}", name.name, name.version_suffix.unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bundled;

    #[test]
    fn the_bundled_component_is_far_below_every_limit() {
        let outline = Outline::of(bundled::COMPONENT).expect("a component");
        let LoadLimits { functions, function_bytes, locals, .. } = LoadLimits::default();
        assert!(outline.functions * 10 < functions, "{}", outline.functions);
        assert!(outline.function_bytes * 10 < function_bytes, "{}", outline.function_bytes);
        assert!(outline.locals * 10 < locals, "{}", outline.locals);
        assert!(outline.functions > 10 && outline.locals > 0, "it was looked at");
    }
}
