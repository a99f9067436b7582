//! Parameters of the trace compiler: one table. Each is set by `TRACEORUS_JIT=name=value,...`, by the option `-j name=value` and
//! by `jit.opt.start("name=value")`.

/// Calls the macro with every parameter: `/// help` `name = default, smallest, largest;`.
#[macro_export]
macro_rules! for_each_param {
    ($m:ident) => {
        $m! {
            /// Back edges of a loop before it is recorded
            hotloop = 56, 1, 65534;
            /// Calls of a function before it is recorded (65534: never)
            hotcall = 112, 1, 65534;
            /// Times that an exit is taken before what follows is recorded
            hotexit = 10, 1, 65534;
            /// Most traces at a time
            maxtrace = 2000, 0, 65000;
            /// Most bytecode instructions in one trace
            maxrecord = 4000, 1, 30000;
            /// Most side traces of one root trace
            maxside = 150, 0, 65000;
            /// Side traces of a tree that one access to a field may cause before it becomes a look-up
            maxshapes = 4, 1, 65000;
            /// Most snapshots in one trace
            maxsnap = 500, 1, 60000;
            /// Most machine code at a time, in KiB (32768 is all there is room for)
            maxmcode = 32768, 64, 1048576;
            /// Iterations of an inner loop that are recorded as part of the outer one
            loopunroll = 15, 0, 1000;
            /// Iterations recorded until the types of a loop's variables settle
            instunroll = 4, 1, 100;
            /// Times that a function is inlined into itself
            recunroll = 2, 0, 100;
            /// Most frames inlined in one trace
            maxdepth = 20, 1, 200;
            /// Abort each n-th recording at random (tests; 0: none)
            abortrandom = 0, 0, 1000000;
            /// Leave compiled code at a random guard, which did not fail, after about so many (tests; 0: never)
            exitrandom = 0, 0, 1000000;
            /// Count executed instructions and guards of types, for statistics (slow; 1: yes)
            count = 0, 0, 1;
            /// Choose registers at random (tests; the number is the seed, 0: choose well)
            randomregs = 0, 0, 65535;
            /// Compare with the interpreter what about each n-th run of compiled code does (tests; 0: none)
            replay = 0, 0, 1000000;
            /// Most percent of the run time for recording and compiling (100: all)
            maxcompile = 5, 1, 100;
            /// Milliseconds of recording and compiling that maxcompile does not count
            freecompile = 20, 0, 1000000;
            /// Compile nothing more after so many traces (to find a wrong one; 0: no end)
            stoptrace = 0, 0, 1000000;
            /// Instructions that are watched before a loop or function is recorded in which branches may become selections
            watch = 500, 0, 65534;
            /// Side traces of a tree that may begin at one call; then the interpreter calls other functions
            maxcalls = 16, 0, 65535;
            /// Side traces of a tree that may begin at one place on different ways; further ways lead to a trace of its own
            maxmeet = 1, 0, 65535;
            /// Times that a recording may start at one place before it is left alone for long
            maxtries = 6, 1, 1000;
        }
    };
}

macro_rules! define_params {
    ($(#[doc = $doc:literal] $name:ident = $default:literal, $min:literal, $max:literal;)*) => {
        /// Values of all parameters.
        #[derive(Clone, Copy, PartialEq, Eq, Debug)]
        pub struct Params {
            $(#[doc = $doc] pub $name: u32,)*
        }
        impl Default for Params {
            fn default() -> Params {
                Params { $($name: $default,)* }
            }
        }
        /// Name, default, smallest and largest value, help of every parameter.
        pub static PARAMS: &[(&str, u32, u32, u32, &str)] = &[
            $((stringify!($name), $default, $min, $max, $doc),)*
        ];
        impl Params {
            /// Sets one parameter; the error is a message.
            pub fn set(&mut self, name: &str, value: u32) -> Result<(), String> {
                match name {
                    $(stringify!($name) => {
                        if !($min..=$max).contains(&value) {
                            return Err(format!(
                                "parameter '{name}' must be {} to {}", $min, $max
                            ));
                        }
                        self.$name = value;
                    })*
                    _ => return Err(format!("no parameter is called '{name}'")),
                }
                Ok(())
            }
            /// The value of one parameter.
            pub fn get(&self, name: &str) -> Option<u32> {
                match name {
                    $(stringify!($name) => Some(self.$name),)*
                    _ => None,
                }
            }
        }
    };
}
for_each_param!(define_params);

impl Params {
    /// Sets one parameter from `name=value`.
    pub fn assign(&mut self, text: &str) -> Result<(), String> {
        let Some((name, value)) = text.split_once('=') else {
            return Err(format!("'{text}' is not of the form name=value"));
        };
        let value = value
            .trim()
            .parse()
            .map_err(|_| format!("value of parameter '{name}' is no number: '{value}'"))?;
        self.set(name.trim(), value)
    }
    /// The table of parameters as text, a line each, with the values that are in force.
    pub fn table(&self) -> String {
        use std::fmt::Write;
        let mut s = String::from("  parameter    value  default      range  meaning\n");
        for &(name, default, min, max, help) in PARAMS {
            let value = self.get(name).unwrap_or(default);
            let range = format!("{min}-{max}");
            let help = help.trim();
            // writing to a string does not fail
            let _ = writeln!(s, "  {name:<11}{value:>7}{default:>9}{range:>11}  {help}");
        }
        s
    }
}

#[cfg(test)]
mod tests {
    use super::Params;

    #[test]
    fn assignments() {
        let mut p = Params::default();
        p.assign("hotloop=3").unwrap();
        assert_eq!(p.hotloop, 3);
        assert!(p.assign("hotloop=0").unwrap_err().contains("1 to 65534"));
        assert!(p.assign("hotlop=1").unwrap_err().contains("hotlop"));
        assert!(p.assign("hotloop").is_err());
        assert!(p.assign("hotloop=x").is_err());
        assert_eq!(p.get("hotcall"), Some(112));
        let table = p.table();
        assert_eq!(table.lines().count(), super::PARAMS.len() + 1);
        let row = table
            .lines()
            .find(|l| l.contains("hotloop"))
            .expect("a row");
        let columns: Vec<&str> = row.split_whitespace().take(4).collect();
        assert_eq!(columns, ["hotloop", "3", "56", "1-65534"]);
    }
}
