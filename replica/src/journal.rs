//! The journal: a file that records are added to, and from which they are read again when the
//! program starts anew. What a record says is for others to know.
//!
//! The file begins with a line of text that names the format, as all files of a state do. Frames follow. A frame has a head of
//! 12 bytes, three numbers in little-endian order, and then its content:
//!
//! - the lower 32 bits of its own place in the file, so that it is recognized behind damage;
//! - the length of its content;
//! - the CRC-32 of its place, its length and its content.
//!
//! The content of the first frame says what the records follow from. A frame is written and synced
//! as a whole before the next one is begun, so that only the last can be incomplete.

use std::fs::File;
use std::io::{self, BufReader, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::cbor::to_cbor;
use crate::replica::Config;

/// The number of the format of journals and snapshots, and of what they mean: what was written
/// under a number, every program with this number reads, and comes to the same state. Whatever
/// changes that (a file's layout, a field of the state, a price, the order in which messages go)
/// takes the next number.
pub const FORMAT: u32 = 5;

/// How a journal begins, whatever its format.
const KIND: &str = "local-replica journal, format ";

/// The length of a frame's head.
const HEAD: usize = 12;

/// The longest content of a frame, in bytes: 32 MiB.
const MAX_CONTENT: usize = 32 * 1024 * 1024;

/// A journal is full when so many bytes wait to be saved: 16 MiB. One more record has room.
const FULL: usize = 16 * 1024 * 1024;

/// A journal that records can be added to.
pub struct Journal {
    file: File,
    path: PathBuf,
    /// Where the first frame begins that has records.
    beginning: u64,
    /// Where the next frame begins.
    end: u64,
    /// The next frame: room for its head, and the records so far.
    frame: Vec<u8>,
}

/// A journal whose records are being read.
pub struct Recovery {
    file: BufReader<File>,
    path: PathBuf,
    /// Where the first frame begins that has records.
    beginning: u64,
    /// Where the next frame begins.
    place: u64,
    length: u64,
}

/// What a journal or a snapshot belongs to. With another origin, records would be replayed
/// differently.
#[derive(Clone, Serialize, Deserialize)]
pub struct Origin {
    /// The version of the program that wrote it; only to tell it.
    program: String,
    #[serde(with = "serde_bytes")]
    config: Vec<u8>,
    /// Which one it is, of those in its folder.
    number: u64,
}

impl Origin {
    /// That of the first journal of a replica that is made like this.
    pub fn new(config: &Config) -> Self {
        Origin {
            program: env!("CARGO_PKG_VERSION").to_owned(),
            config: to_cbor(config),
            number: 0,
        }
    }

    /// That of another journal or snapshot of the same replica.
    pub fn numbered(&self, number: u64) -> Self {
        Origin {
            number,
            ..self.clone()
        }
    }

    /// Refuses the file at `path` with the origin `found`, unless this program with this configuration
    /// has written it too.
    pub(crate) fn check(&self, found: &Origin, path: &Path) -> Result<(), String> {
        if found.config != self.config {
            let writer = "a local-replica with another seed, start time or limits";
            return Err(foreign(path, writer));
        }
        match found.number == self.number {
            true => Ok(()),
            false => Err(foreign(path, "a local-replica under another name")),
        }
    }
}

/// That the file at `path` is somebody else's.
pub(crate) fn foreign(path: &Path, writer: &str) -> String {
    let path = path.display();
    format!("{path} was written by {writer}; start that one, or remove the file to begin anew")
}

/// How a file of a kind begins in this format.
pub(crate) fn first_line(kind: &str) -> Vec<u8> {
    format!("{kind}{FORMAT}\n").into_bytes()
}

/// Refuses a file whose first line, read as far as it should go, is not that of a `kind` in this
/// format.
pub(crate) fn check_first_line(
    kind: &str,
    line: &[u8],
    path: &Path,
    what: &str,
) -> Result<(), String> {
    if line == first_line(kind) {
        return Ok(());
    }
    match line.starts_with(kind.as_bytes()) {
        true => {
            let number = line[kind.len()..]
                .split(|byte| !byte.is_ascii_digit())
                .next();
            let number = String::from_utf8_lossy(number.unwrap_or_default()).into_owned();
            let writer =
                format!("a local-replica with format {number} of journals, and this has {FORMAT}");
            Err(foreign(path, &writer))
        }
        false => Err(format!(
            "{} is not a {what} of local-replica; choose another folder",
            path.display()
        )),
    }
}

impl Recovery {
    /// Opens a journal. If there is none it is made.
    ///
    /// # Errors
    ///
    /// Why it can't be used: in one line, and with the file's path.
    pub fn open(path: &Path, origin: &Origin) -> Result<Self, String> {
        let failed = |error: io::Error| format!("can't open {}: {error}", path.display());
        let mut options = File::options();
        let options = options.read(true).write(true).create(true).truncate(false);
        let mut file = options.open(path).map_err(failed)?;

        let beginning = beginning(origin);
        let mut start = Vec::new();
        let whole = beginning.len() as u64;
        Read::by_ref(&mut file)
            .take(whole)
            .read_to_end(&mut start)
            .map_err(failed)?;
        // An empty file, or one whose making was interrupted.
        if start.len() < beginning.len() && beginning.starts_with(&start) {
            let folder = path.parent().unwrap_or(Path::new("."));
            file.rewind()
                .and_then(|()| file.write_all(&beginning))
                .and_then(|()| file.sync_all())
                .and_then(|()| sync_folder(folder))
                .map_err(failed)?;
        }
        let length = file.metadata().map_err(failed)?.len();
        file.rewind().map_err(failed)?;
        let mut recovery = Recovery {
            file: BufReader::new(file),
            path: path.to_owned(),
            beginning: 0,
            place: 0,
            length,
        };
        recovery.read_beginning(origin)?;
        recovery.beginning = recovery.place;
        Ok(recovery)
    }

    /// How many bytes it has.
    pub fn length(&self) -> u64 {
        self.length
    }

    /// Where the journal is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    fn read_beginning(&mut self, origin: &Origin) -> Result<(), String> {
        let mut line = Vec::new();
        let format = first_line(KIND).len() as u64;
        Read::by_ref(&mut self.file)
            .take(format)
            .read_to_end(&mut line)
            .map_err(|error| self.unreadable(&error))?;
        self.place = format;
        check_first_line(KIND, &line, &self.path, "journal")?;
        let content = self.next_frame()?.ok_or_else(|| self.damaged(format))?;
        let found: Origin = serde_cbor::from_slice(&content).map_err(|_| self.damaged(format))?;
        origin.check(&found, &self.path)
    }

    /// The content of the next frame. `None` if there is no other: none at all, or one that is
    /// incomplete.
    ///
    /// # Errors
    ///
    /// If the file can't be read, or is damaged before its last frame.
    pub fn next_frame(&mut self) -> Result<Option<Vec<u8>>, String> {
        if self.place == self.length {
            return Ok(None);
        }
        let frame = self.read_frame().map_err(|error| self.unreadable(&error))?;
        if let Some(content) = frame {
            self.place += (HEAD + content.len()) as u64;
            return Ok(Some(content));
        }
        match self.is_last().map_err(|error| self.unreadable(&error))? {
            true => Ok(None),
            false => Err(self.damaged(self.place)),
        }
    }

    /// The next frame; `None` if there is no good one.
    fn read_frame(&mut self) -> io::Result<Option<Vec<u8>>> {
        let left = self.length - self.place;
        let mut head = [0; HEAD];
        if left < HEAD as u64 {
            return Ok(None);
        }
        self.file.read_exact(&mut head)?;
        let Some(length) = content_length(&head, self.place, left) else {
            return Ok(None);
        };
        let mut content = vec![0; length];
        self.file.read_exact(&mut content)?;
        Ok((head == self::head(self.place, &content)).then_some(content))
    }

    /// Whether no good frame follows the bad one at this place.
    fn is_last(&mut self) -> io::Result<bool> {
        // More than one frame follows, good or bad.
        if self.length - self.place > (HEAD + MAX_CONTENT) as u64 {
            return Ok(false);
        }
        self.file.seek(SeekFrom::Start(self.place))?;
        let mut rest = Vec::new();
        self.file.read_to_end(&mut rest)?;
        let is_frame = |start: usize| {
            let place = self.place + start as u64;
            let (head, rest) = rest[start..]
                .split_first_chunk()
                .expect("it is long enough");
            let left = (HEAD + rest.len()) as u64;
            content_length(head, place, left)
                .is_some_and(|length| *head == self::head(place, &rest[..length]))
        };
        Ok(!(1..=rest.len().saturating_sub(HEAD)).any(is_frame))
    }

    /// Refuses a journal that is not whole, once all its frames were read: another one follows it, and
    /// that was begun when this was complete.
    ///
    /// # Errors
    ///
    /// If its last frame is incomplete.
    pub fn finish_whole(self) -> Result<(), String> {
        match self.place == self.length {
            true => Ok(()),
            false => Err(self.damaged(self.place)),
        }
    }

    /// Makes the journal ready to be added to. An incomplete last frame is cut off. Returns also
    /// how many bytes that were.
    ///
    /// # Errors
    ///
    /// If the file can't be changed.
    pub fn finish(self) -> Result<(Journal, u64), String> {
        let (end, cut) = (self.place, self.length - self.place);
        let mut file = self.file.into_inner();
        let ready = match cut {
            0 => Ok(()),
            _ => file.set_len(end).and_then(|()| file.sync_all()),
        };
        let journal = ready.and_then(|()| file.seek(SeekFrom::Start(end)));
        journal.map_err(|error| format!("can't change {}: {error}", self.path.display()))?;
        let journal = Journal {
            file,
            path: self.path,
            beginning: self.beginning,
            end,
            frame: vec![0; HEAD],
        };
        Ok((journal, cut))
    }

    fn unreadable(&self, error: &io::Error) -> String {
        format!("can't read {}: {error}", self.path.display())
    }

    fn damaged(&self, place: u64) -> String {
        format!(
            "{} is damaged at byte {place}, and not only at its end; nothing was changed; put back \
             a copy, or remove the folder to begin anew",
            self.path.display()
        )
    }
}

impl Journal {
    /// How many bytes it has, of those that are saved.
    pub fn length(&self) -> u64 {
        self.end
    }

    /// Whether no record is saved in it.
    pub fn is_new(&self) -> bool {
        self.end == self.beginning
    }

    /// Adds a record. It is not saved yet.
    pub fn add(&mut self, record: &[u8]) {
        self.frame.extend_from_slice(record);
    }

    /// Whether all records are saved.
    pub fn is_saved(&self) -> bool {
        self.frame.len() == HEAD
    }

    /// Whether so much waits to be saved that nothing should be added before it is.
    pub fn is_full(&self) -> bool {
        self.frame.len() >= FULL
    }

    /// Writes what was added since the last time, and waits until it is on the disk.
    ///
    /// # Errors
    ///
    /// If that failed. Then the journal can't be used any more.
    pub fn save(&mut self) -> Result<(), String> {
        if self.is_saved() {
            return Ok(());
        }
        let head = head(self.end, &self.frame[HEAD..]);
        self.frame[..HEAD].copy_from_slice(&head);
        self.file
            .write_all(&self.frame)
            .and_then(|()| self.file.sync_data())
            .map_err(|error| format!("can't write to {}: {error}", self.path.display()))?;
        self.end += self.frame.len() as u64;
        self.frame.truncate(HEAD);
        Ok(())
    }
}

/// How a new journal begins.
fn beginning(origin: &Origin) -> Vec<u8> {
    let (line, content) = (first_line(KIND), to_cbor(origin));
    let head = head(line.len() as u64, &content);
    [line.as_slice(), &head, &content].concat()
}

/// The head of a frame.
fn head(place: u64, content: &[u8]) -> [u8; HEAD] {
    let length = u32::try_from(content.len()).unwrap_or(u32::MAX);
    let mut checksum = crc32fast::Hasher::new();
    checksum.update(&place.to_le_bytes());
    checksum.update(&length.to_le_bytes());
    checksum.update(content);
    let mut head = [0; HEAD];
    head[..4].copy_from_slice(&(place as u32).to_le_bytes());
    head[4..8].copy_from_slice(&length.to_le_bytes());
    head[8..].copy_from_slice(&checksum.finalize().to_le_bytes());
    head
}

/// The length of a frame's content, if its head can be one at this place, and what is `left` of the
/// file has room for it.
fn content_length(head: &[u8; HEAD], place: u64, left: u64) -> Option<usize> {
    let number =
        |at: usize| u32::from_le_bytes([head[at], head[at + 1], head[at + 2], head[at + 3]]);
    let length = number(4) as usize;
    let fits = length <= MAX_CONTENT && (HEAD + length) as u64 <= left;
    (number(0) == place as u32 && length > 0 && fits).then_some(length)
}

/// Has the disk remember what is in a folder.
pub(crate) fn sync_folder(folder: &Path) -> io::Result<()> {
    // Only there can a folder be opened like a file.
    match cfg!(unix) {
        true => File::open(folder)?.sync_all(),
        false => Ok(()),
    }
}

#[cfg(test)]
mod tests;
