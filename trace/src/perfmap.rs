//! Files that Linux `perf` reads: the map of names (`perf report` finds it by itself) and jitdump (`perf record -k mono`, then
//! `perf inject --jit`), which also has the code and its source lines, so that `perf annotate` works.
//!
//! The formats: `tools/perf/Documentation/jit-interface.txt` and `jitdump-specification.txt` of Linux.

use std::fs::{File, OpenOptions};
use std::io::Write;

use crate::outputs::Symbol;

/// `/tmp/perf-PID.map`.
pub(crate) struct PerfMap(File);

impl PerfMap {
    /// Opens it; states of one process share the file.
    pub fn create() -> Result<PerfMap, String> {
        let name = format!("/tmp/perf-{}.map", std::process::id());
        let file = OpenOptions::new().create(true).append(true).open(&name);
        let file = file.map_err(|e| format!("cannot write the map for perf to {name}: {e}"))?;
        Ok(PerfMap(file))
    }
    /// Adds a trace.
    pub fn add(&mut self, s: &Symbol<'_>) {
        // what cannot be written is nothing to stop the program for
        let _ = self.0.write_all(map_line(s).as_bytes());
    }
}

fn map_line(s: &Symbol<'_>) -> String {
    // the name goes to the end of the line
    let name = s.name.replace(['\n', '\r'], " ");
    format!("{:x} {:x} {name}\n", s.address, s.bytes.len())
}

/// `jit-PID.dump` in the working directory.
pub(crate) struct Jitdump {
    file: File,
    index: u64,
    /// What `perf record` notices: one executable page of the file.
    mark: (*mut libc::c_void, usize),
}

const MAGIC: u32 = 0x4a69_5444;
const VERSION: u32 = 1;
const HEADER_BYTES: u32 = 40;
const CODE_LOAD: u32 = 0;
const DEBUG_INFO: u32 = 2;

fn machine() -> u32 {
    match std::env::consts::ARCH {
        "x86_64" => 62,
        "aarch64" => 183,
        "riscv64" => 243,
        _ => 0,
    }
}

/// Nanoseconds of the monotonic clock, which `perf record -k mono` uses.
fn now() -> u64 {
    // SAFETY: the clock exists; the result is written to a local.
    unsafe {
        let mut t: libc::timespec = std::mem::zeroed();
        libc::clock_gettime(libc::CLOCK_MONOTONIC, &mut t);
        t.tv_sec as u64 * 1_000_000_000 + t.tv_nsec as u64
    }
}

/// Little-endian records, as all our targets have them.
#[derive(Default)]
struct Record(Vec<u8>);

impl Record {
    fn u32(&mut self, n: u32) -> &mut Record {
        self.0.extend(n.to_le_bytes());
        self
    }
    fn u64(&mut self, n: u64) -> &mut Record {
        self.0.extend(n.to_le_bytes());
        self
    }
    fn text(&mut self, s: &str) -> &mut Record {
        self.0.extend(s.bytes().filter(|&b| b != 0));
        self.0.push(0);
        self
    }
    /// Puts the record's head in front.
    fn finish(&self, id: u32, time: u64) -> Vec<u8> {
        let mut r = Record::default();
        r.u32(id).u32(self.0.len() as u32 + 16).u64(time);
        r.0.extend(&self.0);
        r.0
    }
}

fn header(pid: u32, time: u64) -> Vec<u8> {
    let mut r = Record::default();
    r.u32(MAGIC).u32(VERSION).u32(HEADER_BYTES).u32(machine());
    r.u32(0).u32(pid).u64(time).u64(0);
    r.0
}

/// The two records of a trace: lines (if there are any), then code.
fn records(s: &Symbol<'_>, index: u64, pid: u32, tid: u32, time: u64) -> Vec<u8> {
    let mut out = Vec::new();
    let known: Vec<_> = s.lines.iter().filter(|l| l.1.line != 0).collect();
    if !known.is_empty() {
        let mut r = Record::default();
        r.u64(s.address).u64(known.len() as u64);
        for (offset, place) in known {
            r.u64(s.address + u64::from(*offset)).u32(place.line).u32(0);
            r.text(&place.chunk);
        }
        out = r.finish(DEBUG_INFO, time);
    }
    let mut r = Record::default();
    r.u32(pid).u32(tid).u64(s.address).u64(s.address);
    r.u64(s.bytes.len() as u64).u64(index).text(&s.name);
    r.0.extend(s.bytes);
    out.extend(r.finish(CODE_LOAD, time));
    out
}

impl Jitdump {
    /// Makes the file.
    pub fn create() -> Result<Jitdump, String> {
        use std::os::fd::AsRawFd;
        let pid = std::process::id();
        let name = format!("jit-{pid}.dump");
        let fail = |e: std::io::Error| format!("cannot write jitdump to {name}: {e}");
        let mut file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(true)
            .open(&name)
            .map_err(fail)?;
        file.write_all(&header(pid, now())).map_err(fail)?;
        // SAFETY: a private mapping of a file of our own, which nobody reads or runs.
        let mark = unsafe {
            let page = libc::sysconf(libc::_SC_PAGESIZE) as usize;
            let p = libc::mmap(
                std::ptr::null_mut(),
                page,
                libc::PROT_READ | libc::PROT_EXEC,
                libc::MAP_PRIVATE,
                file.as_raw_fd(),
                0,
            );
            if p == libc::MAP_FAILED {
                return Err(fail(std::io::Error::last_os_error()));
            }
            (p, page)
        };
        Ok(Jitdump {
            file,
            index: 0,
            mark,
        })
    }
    /// Adds a trace.
    pub fn add(&mut self, s: &Symbol<'_>) {
        // SAFETY: no arguments, cannot fail.
        let tid = unsafe { libc::gettid() } as u32;
        let all = records(s, self.index, std::process::id(), tid, now());
        self.index += 1;
        // what cannot be written is nothing to stop the program for
        let _ = self.file.write_all(&all);
    }
}

impl Drop for Jitdump {
    fn drop(&mut self) {
        // SAFETY: mapped in `create`.
        unsafe { libc::munmap(self.mark.0, self.mark.1) };
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::places::Place;

    fn symbol(bytes: &[u8]) -> Symbol<'_> {
        let at = |line| Place {
            chunk: "a.lua".into(),
            line,
        };
        Symbol {
            name: "trace_1:loop:a.lua:3".into(),
            address: 0x7000_1000,
            bytes,
            lines: vec![(0, Place::unknown()), (4, at(3)), (8, at(4))],
        }
    }

    #[test]
    fn map() {
        assert_eq!(
            map_line(&symbol(&[0; 18])),
            "70001000 12 trace_1:loop:a.lua:3\n"
        );
    }

    #[test]
    fn jitdump() {
        assert_eq!(header(7, 9).len(), HEADER_BYTES as usize);
        let code = [0x90, 0x90, 0xc3];
        let all = records(&symbol(&code), 5, 7, 8, 9);
        let u32_at = |i: usize| u32::from_le_bytes(all[i..i + 4].try_into().expect("4"));
        let u64_at = |i: usize| u64::from_le_bytes(all[i..i + 8].try_into().expect("8"));
        // lines come first, the unknown one is left out
        assert_eq!(u32_at(0), DEBUG_INFO);
        assert_eq!((u64_at(16), u64_at(24)), (0x7000_1000, 2));
        assert_eq!((u64_at(32), u32_at(40)), (0x7000_1004, 3));
        assert_eq!(&all[48..54], b"a.lua\0");
        let load = u32_at(4) as usize;
        assert_eq!(load, 16 + 16 + 2 * (16 + 6));
        assert_eq!(u32_at(load), CODE_LOAD);
        assert_eq!(u32_at(load + 4) as usize, all.len() - load);
        assert_eq!((u32_at(load + 16), u32_at(load + 20)), (7, 8));
        assert_eq!((u64_at(load + 40), u64_at(load + 48)), (3, 5));
        assert!(all.ends_with(b"trace_1:loop:a.lua:3\0\x90\x90\xc3"));
    }
}
