//! Why a recording or compilation was given up. Expected, counted, never seen by programs.

macro_rules! aborts {
    ($($(#[doc = $doc:literal])* $name:ident = $text:literal;)*) => {
        /// Reason of an abort.
        #[repr(u16)]
        #[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
        pub enum Abort { $($(#[doc = $doc])* $name,)* }
        impl Abort {
            /// All reasons in numeric order.
            pub const ALL: &'static [Abort] = &[$(Abort::$name,)*];
            /// In words.
            pub fn text(self) -> &'static str {
                const TEXTS: &[&str] = &[$($text,)*];
                TEXTS[self as usize]
            }
            /// What is behind it, for the documentation.
            pub fn about(self) -> &'static str {
                const ABOUT: &[&str] = &[$(concat!($($doc),*),)*];
                ABOUT[self as usize].trim()
            }
        }
    };
}

aborts! {
    // recording
    /// More bytecode than `maxrecord`.
    RecordLimit = "recorded too many bytecode instructions";
    /// More IR than fits.
    TooLong = "trace too long";
    /// More constants than fit.
    TooManyConstants = "too many constants in a trace";
    /// The loop was left while its first iteration was recorded.
    LeavingLoop = "the recording left its loop";
    /// Another loop was met that is not compiled yet.
    InnerLoop = "an inner loop has to be compiled first";
    /// The call depth was exceeded.
    CallDepth = "calls are nested too deep";
    /// A recursive function is called that is not compiled yet.
    CalleeFirst = "the function that is called has to be compiled first";
    /// An inner loop that is left early is compiled, and the loop around it goes through all of it.
    OuterFirst = "the loop around it has to be compiled first";
    /// What is known on one of the ways to a place is needed: without it, the trace that all ways lead to would end in the interpreter.
    OneWay = "what follows depends on the way there";
    /// Returned to a frame below the trace's first.
    ReturnBelow = "returned from the frame in which the trace began";
    /// An error was raised.
    ErrorRaised = "an error was raised while recording";
    /// Finalizers ran between two instructions.
    Finalizers = "finalizers ran while recording";
    /// `debug.setlocal` and the like, or their functions in C, changed a variable.
    Disturbed = "a variable was changed from outside while recording";
    /// A hook was set.
    HookSet = "a debug hook was set while recording";
    /// Another thread runs.
    OtherThread = "another coroutine took over";
    /// Asked for by a random test.
    Random = "aborted at random (test)";
    /// Switched off.
    SwitchedOff = "compilation was switched off";
    /// A bytecode or builtin that is not recorded yet.
    Nyi = "not recorded yet";
    /// The types of the loop's variables keep changing.
    TypeUnstable = "types of loop variables change in each iteration";
    // optimisation
    /// A guard can never hold.
    GuardFails = "a guard can never hold";
    // assembly
    /// No register combination.
    Registers = "out of spill slots";
    /// More of the run time than `maxcompile` has gone to recording and compiling.
    OverBudget = "compilation has taken its share of the time";
    /// As many traces as `maxtrace` allows, and all are in use.
    TooManyTraces = "too many traces";
    /// Code memory is used up.
    CodeMemory = "no room for machine code";
    /// The assembler refused.
    Assembler = "the assembler reported an error";
    /// Broken invariant.
    Internal = "internal error";
}

#[cfg(test)]
mod tests {
    use super::*;

    /// docs/NYI.md between its marks is made from the table.
    #[test]
    fn documented() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/NYI.md");
        let text = std::fs::read_to_string(path).expect("docs/NYI.md");
        let (from, to) = ("<!-- aborts -->\n", "<!-- end -->");
        let (start, end) = (
            text.find(from).expect(from) + from.len(),
            text.find(to).expect(to),
        );
        let mut table = String::from("| In `--stats` | Meaning |\n|---|---|\n");
        for a in Abort::ALL {
            table += &format!("| {} | {} |\n", a.text(), a.about());
        }
        if std::env::var_os("TRACEORUS_BLESS").is_some() {
            let new = format!("{}{table}{}", &text[..start], &text[end..]);
            std::fs::write(path, new).expect("docs/NYI.md can be written");
        } else {
            assert!(
                text[start..end] == table,
                "TRACEORUS_BLESS=1 rewrites docs/NYI.md"
            );
        }
    }
}
