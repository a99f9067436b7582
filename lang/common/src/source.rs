//! Display names of sources and the error type of the front ends.

/// Size of a display name, including C's terminating NUL (LUA_IDSIZE).
pub const ID_SIZE: usize = 60;

/// The display name of a chunk name: `=name` as it is, `@file` as a file name (its tail if long), anything else as
/// `[string "first line..."]`. At most [`ID_SIZE`]` - 1` bytes; ends at the first NUL as the C string it replaces does.
pub fn chunkid(source_name: &[u8]) -> Vec<u8> {
    const DOTS: &[u8] = b"...";
    let mut out = Vec::with_capacity(ID_SIZE);
    match source_name.first() {
        Some(b'=') => {
            let name = &source_name[1..];
            out.extend_from_slice(&name[..name.len().min(ID_SIZE - 1)]);
        }
        Some(b'@') => {
            let name = &source_name[1..];
            if name.len() < ID_SIZE {
                out.extend_from_slice(name);
            } else {
                out.extend_from_slice(DOTS);
                out.extend_from_slice(&name[name.len() - (ID_SIZE - 1 - DOTS.len())..]);
            }
        }
        _ => {
            const OPEN: &[u8] = b"[string \"";
            const CLOSE: &[u8] = b"\"]";
            let room = ID_SIZE - (OPEN.len() + DOTS.len() + CLOSE.len() + 1);
            // A C string function looks for the newline, so one behind a NUL does not count.
            let c_len = source_name
                .iter()
                .position(|&c| c == 0)
                .unwrap_or(source_name.len());
            let newline = source_name[..c_len].iter().position(|&c| c == b'\n');
            out.extend_from_slice(OPEN);
            if source_name.len() < room && newline.is_none() {
                out.extend_from_slice(source_name);
            } else {
                let keep = newline.unwrap_or(source_name.len()).min(room);
                out.extend_from_slice(&source_name[..keep]);
                out.extend_from_slice(DOTS);
            }
            out.extend_from_slice(CLOSE);
        }
    }
    if let Some(nul) = out.iter().position(|&c| c == 0) {
        out.truncate(nul);
    }
    out
}

/// Why a source could not be compiled.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SyntaxError {
    /// The whole message, `chunkid:line: text near 'token'`.
    pub message: Vec<u8>,
    /// The error is at the end of the source: more input might complete it (a REPL reads another line).
    pub at_eof: bool,
    /// Nesting too deep: PUC raises this one as a run-time error without position.
    pub overflow: bool,
}

impl core::fmt::Display for SyntaxError {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(&String::from_utf8_lossy(&self.message))
    }
}

impl core::error::Error for SyntaxError {}

#[cfg(test)]
mod tests {
    use super::chunkid;

    fn id(s: &str) -> String {
        String::from_utf8(chunkid(s.as_bytes())).expect("test names are ASCII")
    }

    #[test]
    fn names() {
        assert_eq!(id("=stdin"), "stdin");
        assert_eq!(id("="), "");
        assert_eq!(id("@a.lua"), "a.lua");
        assert_eq!(id(""), "[string \"\"]");
        assert_eq!(id("x = 1"), "[string \"x = 1\"]");
        assert_eq!(id("x\ny"), "[string \"x...\"]");
        assert_eq!(id("\n"), "[string \"...\"]");
        assert_eq!(id(&format!("={}", "a".repeat(59))), "a".repeat(59));
        assert_eq!(id(&format!("={}", "a".repeat(70))), "a".repeat(59));
        assert_eq!(id(&format!("@{}", "a".repeat(59))), "a".repeat(59));
        assert_eq!(
            id(&format!("@{}z", "a".repeat(70))),
            format!("...{}z", "a".repeat(55))
        );
        // 60 - strlen("[string \"" "..." "\"]") - 1 = 45 is the first length that is cut.
        assert_eq!(
            id(&"b".repeat(44)),
            format!("[string \"{}\"]", "b".repeat(44))
        );
        assert_eq!(
            id(&"b".repeat(45)),
            format!("[string \"{}...\"]", "b".repeat(45))
        );
        assert_eq!(
            id(&"b".repeat(90)),
            format!("[string \"{}...\"]", "b".repeat(45))
        );
        assert_eq!(id("=a\0b"), "a");
    }
}
