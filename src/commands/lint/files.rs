//! OTLP requests in files: one body or many, protobuf or JSON, compressed or not.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use flate2::bufread::MultiGzDecoder;

use crate::cli::LintSignal;
use crate::clock::{Clock, SystemClock};
use crate::lint::{self, Broken, Input, InputError, Linter};
use crate::otlp::answer::Signal;

/// Largest single request, bytes: what no receiver takes ([`crate::config::Receiver::request_bytes_max`] ends at half of it).
const BODY_MAX: u64 = 256 * 1024 * 1024;

/// Beginnings of compressed files (RFC 1952, RFC 8878).
const GZIP: [u8; 2] = [0x1f, 0x8b];
const ZSTD: [u8; 4] = [0x28, 0xb5, 0x2f, 0xfd];

/// Reads all files; what cannot be read of one does not keep the others away.
pub(super) fn read_all(files: &[PathBuf], signal: Option<LintSignal>, linter: &Mutex<Linter>) -> Vec<Input> {
    let signal = signal.map(|signal| match signal {
        LintSignal::Traces => Signal::Traces,
        LintSignal::Logs => Signal::Logs,
    });
    let read = |path: &PathBuf| {
        let mut input = Input { name: path.display().to_string(), ..Input::default() };
        let mut linter = linter.lock().unwrap_or_else(PoisonError::into_inner);
        let before = linter.totals();
        let mut reading = Reading { linter: &mut linter, signal, requests: 0, strange: None };
        input.error = reading.file(path).err();
        input.requests = reading.requests;
        let strange = reading.strange;
        let seen = linter.totals();
        if input.error.is_none() && (seen.spans, seen.logs) == (before.spans, before.logs) {
            input.nothing = Some(strange.unwrap_or_else(|| nothing_in(seen.data_points - before.data_points)));
        }
        input
    };
    files.iter().map(read).collect()
}

/// One file on its way.
struct Reading<'l> {
    linter: &'l mut Linter,
    signal: Option<Signal>,
    requests: u64,
    /// What to say of the first member that no request has.
    strange: Option<String>,
}

impl Reading<'_> {
    fn file(&mut self, path: &Path) -> Result<(), InputError> {
        let open: Box<dyn Read> = if path == Path::new("-") {
            Box::new(io::stdin().lock())
        } else {
            Box::new(File::open(path).map_err(|error| unreadable(&error))?)
        };
        let mut raw = BufReader::new(open);
        let begins = raw.fill_buf().map_err(|error| unreadable(&error))?;
        if begins.starts_with(&GZIP) {
            return self.stream(BufReader::new(MultiGzDecoder::new(raw)));
        }
        if begins.starts_with(&ZSTD) {
            let decoder = zstd::stream::read::Decoder::with_buffer(raw).map_err(|error| unreadable(&error))?;
            return self.stream(BufReader::new(decoder));
        }
        self.stream(raw)
    }

    /// A file without its compression.
    fn stream(&mut self, mut content: impl BufRead) -> Result<(), InputError> {
        let begins = content.fill_buf().map_err(|error| unreadable(&error))?;
        match begins.iter().find(|b| !b.is_ascii_whitespace()) {
            None if begins.is_empty() => Err(InputError { what: "it is empty".to_owned(), ..InputError::default() }),
            // No protobuf begins with a zero: the file exporter's length, which is far below 16 MiB.
            _ if begins.first() == Some(&0) => self.framed(content),
            // Whether a line feed begins a text or a protobuf is seen by the whole alone.
            Some(b'{') if begins.first() != Some(&b'\n') => self.lines(content),
            _ => {
                let body = whole(&mut content, Vec::new())?;
                if lint::is_protobuf(&body) { self.body(&body).map_err(|broken| at(&broken, 0)) } else { self.lines(body.as_slice()) }
            }
        }
    }

    /// JSON, a request on each line, or one request on many.
    fn lines(&mut self, mut content: impl BufRead) -> Result<(), InputError> {
        let (mut offset, mut number) = (0_u64, 0_u64);
        let mut line = Vec::new();
        loop {
            line.clear();
            let read = (&mut content).take(BODY_MAX).read_until(b'\n', &mut line).map_err(|error| unreadable(&error))?;
            if read == 0 {
                return Ok(());
            }
            number += 1;
            if !line.trim_ascii().is_empty()
                && let Err(broken) = self.body(&line)
            {
                // More than this line: perhaps it is written on many.
                if self.requests == 0 {
                    let whole = whole(&mut content, line.clone())?;
                    if whole.len() > line.len() {
                        let Err(of_whole) = self.body(&whole) else { return Ok(()) };
                        if of_whole.at >= line.len() {
                            return Err(self.in_lines(&of_whole, &whole, (offset, number), false));
                        }
                        return Err(self.in_lines(
                            &broken,
                            &line,
                            (offset, number),
                            whole.get(line.len()..).is_some_and(|rest| !rest.trim_ascii().is_empty()),
                        ));
                    }
                }
                let more = content.fill_buf().is_ok_and(|rest| !rest.is_empty());
                return Err(self.in_lines(&broken, &line, (offset, number), more));
            }
            offset = offset.saturating_add(u64::try_from(read).unwrap_or(0));
        }
    }

    /// What is wrong in a text that begins at a byte and a line of the file.
    fn in_lines(&self, broken: &Broken, text: &[u8], (offset, line): (u64, u64), rest_unread: bool) -> InputError {
        let before = text.get(..broken.at).unwrap_or(text);
        let feeds = before.iter().filter(|byte| **byte == b'\n').count();
        let begins = before.iter().rposition(|byte| *byte == b'\n').map_or(0, |feed| feed + 1);
        let mut error = at(broken, offset);
        error.line = u64::try_from(feeds).ok().map(|feeds| line.saturating_add(feeds));
        error.at_in_line = u64::try_from(broken.at.saturating_sub(begins)).ok();
        error.rest_unread = rest_unread;
        if let (0, Some(strange)) = (broken.at, self.strange_member(text)) {
            error.what = format!("this is no OTLP request: {strange}");
        }
        error
    }

    /// What the Collector's file exporter writes with `format: proto` or with a compression: each request after its length, big-endian in
    /// four bytes.
    fn framed(&mut self, mut content: impl BufRead) -> Result<(), InputError> {
        let mut offset = 0_u64;
        loop {
            let mut length = [0; 4];
            match content.fill_buf() {
                Ok([]) => return Ok(()),
                Ok(_) => content.read_exact(&mut length).map_err(|_| cut_off(offset))?,
                Err(error) => return Err(unreadable(&error)),
            }
            let length = u64::from(u32::from_be_bytes(length));
            offset += 4;
            let mut frame = Vec::new();
            let read = (&mut content).take(length.min(BODY_MAX)).read_to_end(&mut frame).map_err(|error| unreadable(&error))?;
            if u64::try_from(read).ok() != Some(length) {
                return Err(cut_off(offset));
            }
            let plain = if frame.starts_with(&ZSTD) {
                let decoder = zstd::stream::read::Decoder::new(frame.as_slice()).map_err(|error| unreadable(&error))?;
                whole(&mut BufReader::new(decoder), Vec::new())?
            } else {
                frame
            };
            self.body(&plain).map_err(|broken| at(&broken, offset))?;
            offset = offset.saturating_add(length);
        }
    }

    fn body(&mut self, bytes: &[u8]) -> Result<(), Broken> {
        let body = lint::body(bytes, self.signal)?;
        let before = self.linter.items();
        self.linter.body(body.signal, &body.request, SystemClock.now())?;
        self.requests += 1;
        if self.strange.is_none() && self.linter.items() == before && body.signal != Signal::Metrics {
            self.strange = self.strange_member(bytes);
        }
        Ok(())
    }

    /// Says which top-level member of a JSON text is none of OTLP's.
    fn strange_member(&self, bytes: &[u8]) -> Option<String> {
        let (strange, meant) = lint::strange_member(bytes)?;
        let meant = match meant {
            Some(meant) => format!("did you mean `{meant}`?"),
            None => "OTLP requests have resourceSpans, resourceLogs or resourceMetrics".to_owned(),
        };
        Some(format!("no span and no log is in it; its member `{}` is none of an OTLP request: {meant}", self.linter.shown(&strange)))
    }
}

/// Why a file that could be read gave nothing to look at.
fn nothing_in(data_points: u64) -> String {
    if data_points > 0 {
        let points = if data_points == 1 { "1 data point".to_owned() } else { format!("{data_points} data points") };
        return format!("it holds only metrics ({points}), which are counted and become no records; lint spans or logs");
    }
    "no span and no log is in it: its requests are empty, or hold metrics without data points only".to_owned()
}

/// What is left of a file, after what was read of it.
fn whole(content: &mut impl BufRead, mut begun: Vec<u8>) -> Result<Vec<u8>, InputError> {
    content.take(BODY_MAX).read_to_end(&mut begun).map_err(|error| unreadable(&error))?;
    if u64::try_from(begun.len()).is_ok_and(|length| length < BODY_MAX) {
        return Ok(begun);
    }
    let what = format!("one request is longer than {} MiB, which no receiver takes; write one a line", BODY_MAX >> 20);
    Err(InputError { what, ..InputError::default() })
}

fn at(broken: &Broken, offset: u64) -> InputError {
    let at = u64::try_from(broken.at).ok().and_then(|at| offset.checked_add(at));
    InputError { at, what: format!("this is no OTLP request: {}", broken.what), ..InputError::default() }
}

fn cut_off(offset: u64) -> InputError {
    let what = "the file ends inside a request; copy it when its writer has closed it".to_owned();
    InputError { at: Some(offset), what, ..InputError::default() }
}

fn unreadable(error: &io::Error) -> InputError {
    InputError { what: format!("it cannot be read: {error}"), ..InputError::default() }
}
