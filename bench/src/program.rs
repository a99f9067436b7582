//! The benchmark programs: where they lie, what their header says.

use std::fs;
use std::path::{Path, PathBuf};

use crate::twin::Language;

/// Name of the folder, and so of the set, whose programs every peer can run.
pub const COMMON: &str = "common";
/// Name of the set of programs that are hard for a trace compiler. Every peer can run it, but it takes part only if a filter names it, so that
/// figures over all programs keep their meaning.
pub const CLIFFS: &str = "cliffs";

/// One benchmark program.
#[derive(Clone, Debug)]
pub struct Program {
    /// The folder it lies in: `common` and `cliffs` run everywhere, any other set only under peers of that dialect.
    pub set: String,
    /// What the header line `-- group: NAME` says.
    pub group: String,
    /// File name without its extension.
    pub name: String,
    /// The comment that follows the group line, in one line.
    pub about: String,
    /// The file.
    pub path: PathBuf,
}

impl Program {
    /// The name that filters match: `set/group/name`.
    pub fn id(&self) -> String {
        format!("{}/{}/{}", self.set, self.group, self.name)
    }

    /// Whether it is written in another language too.
    pub fn has_twin(&self) -> bool {
        Language::ALL.iter().any(|l| l.file(self).is_some())
    }

    /// Whether `filters` select it: any that its name contains, or none at all. `cliffs` must be named.
    fn selected(&self, filters: &[String]) -> bool {
        let (id, hidden) = (self.id(), self.set == CLIFFS);
        let hit = |f: &String| id.contains(f.as_str()) && (!hidden || f.contains(CLIFFS));
        filters.is_empty() && !hidden || filters.iter().any(hit)
    }
}

/// Finds the programs below `root` (one folder per set) that match any of `filters`, or all but `cliffs` if there are none. Sorted by set,
/// group and name.
pub fn find(root: &Path, filters: &[String]) -> Result<Vec<Program>, String> {
    let mut found = Vec::new();
    for set in entries(root)?.into_iter().filter(|p| p.is_dir()) {
        for path in entries(&set)?
            .into_iter()
            .filter(|p| p.extension().is_some_and(|e| e == "lua"))
        {
            let text = fs::read_to_string(&path)
                .map_err(|e| format!("cannot read {}: {e}", path.display()))?;
            let (group, about) = header(&text);
            let program = Program {
                set: file_name(&set),
                group,
                name: stem(&path),
                about,
                path,
            };
            if program.selected(filters) {
                found.push(program);
            }
        }
    }
    found.sort_by_key(Program::id);
    Ok(found)
}

/// The group and the description in the leading comment of a program.
fn header(text: &str) -> (String, String) {
    let mut comments = text
        .lines()
        .map_while(|l| l.strip_prefix("--"))
        .map(str::trim);
    let group = comments
        .next()
        .and_then(|l| l.strip_prefix("group:"))
        .map_or("other", str::trim);
    (group.to_owned(), comments.collect::<Vec<_>>().join(" "))
}

fn entries(dir: &Path) -> Result<Vec<PathBuf>, String> {
    let fail = |e: std::io::Error| format!("cannot read the folder {}: {e}", dir.display());
    fs::read_dir(dir)
        .map_err(fail)?
        .map(|entry| entry.map(|e| e.path()).map_err(fail))
        .collect()
}

fn file_name(path: &Path) -> String {
    path.file_name()
        .map_or_else(String::new, |n| n.to_string_lossy().into_owned())
}

fn stem(path: &Path) -> String {
    path.file_stem()
        .map_or_else(String::new, |n| n.to_string_lossy().into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn header_gives_group_and_description() {
        assert_eq!(
            header("-- group: gc\n-- Trees\n-- and lists.\nlocal x\n-- no"),
            ("gc".into(), "Trees and lists.".into())
        );
        assert_eq!(
            header("-- group: startup\n"),
            ("startup".into(), String::new())
        );
        assert_eq!(header("print(1)\n"), ("other".into(), String::new()));
    }

    #[test]
    fn every_program_of_the_repository_has_a_header() {
        let sets = ["common/", "lua54/", "cliffs/"].map(str::to_owned);
        let all = find(Path::new("programs"), &sets).expect("the folder is readable");
        assert!(
            all.iter().filter(|p| p.set == COMMON).count() >= 32,
            "{}",
            all.len()
        );
        assert!(all.iter().filter(|p| p.set == "lua54").count() >= 5);
        for p in &all {
            assert_ne!(p.group, "other", "{}", p.path.display());
        }
    }

    #[test]
    fn cliffs_must_be_named() {
        let sets = |filters: &[&str]| -> Vec<String> {
            let filters: Vec<String> = filters.iter().map(|f| (*f).to_owned()).collect();
            let found = find(Path::new("programs"), &filters).expect("the folder is readable");
            let mut sets: Vec<String> = found.into_iter().map(|p| p.set).collect();
            sets.dedup();
            sets
        };
        assert_eq!(sets(&[]), ["common", "lua54"]);
        assert_eq!(sets(&["coroutines/"]), ["common"]);
        assert_eq!(sets(&["cliffs/"]), ["cliffs"]);
        assert_eq!(
            sets(&["coroutines/", "cliffs/coroutines"]),
            ["cliffs", "common"]
        );
    }
}
