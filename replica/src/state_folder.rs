//! A folder that keeps a state: a snapshot of it, and journals that say how it went on from there.
//!
//! Both are numbered. Snapshot 5 is the state where journal 5 begins; without a snapshot, journal 0
//! begins with an empty replica. When a state is compacted, a journal with the next number is begun
//! first, and then the snapshot with this number is written, beside it. Until that is complete, which
//! its name says, the state is what the older snapshot, the older journal and the new one lead to.
//! Then the older files are removed.
//!
//! A snapshot begins with a line of text that names the format. What follows is the length of its
//! origin, the origin, the state, and at the end the CRC-32 of everything before.

use std::fs::{self, File, TryLockError};
use std::io::{self, BufReader, BufWriter, Read, Write};
use std::path::{Path, PathBuf};

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::cbor::to_cbor;
use crate::journal::{
    Journal, Origin, Recovery, check_first_line, first_line, foreign, sync_folder,
};
use crate::replica::Config;

/// What all names of its files begin with.
const NAME: &str = "local-replica";

/// The only file of format 1.
const OLD_JOURNAL: &str = "local-replica.journal";

/// How a snapshot begins, whatever its format.
const KIND: &str = "local-replica snapshot, format ";

/// The length of the checksum at the end of a snapshot.
const CHECKSUM: u64 = 4;

/// A folder with a state, which no other program uses as long as this value lives.
pub struct StateFolder {
    path: PathBuf,
    origin: Origin,
    /// How many bytes of journals are compacted, if that is not for the owner to decide.
    compact_after: Option<u64>,
    _lock: File,
}

/// A snapshot whose state is to be read: its checksum was right.
pub struct SavedState {
    file: BufReader<File>,
    path: PathBuf,
    size: u64,
}

impl StateFolder {
    /// Opens and locks a folder. If there is none it is made.
    ///
    /// # Errors
    ///
    /// Why it can't be used: in one line, and with the path.
    pub fn open(folder: &Path, config: &Config) -> Result<Self, String> {
        make_folder(folder).map_err(|error| format!("can't make {}: {error}", folder.display()))?;
        let path = folder.join(format!("{NAME}.lock"));
        let failed = |error: io::Error| format!("can't open {}: {error}", path.display());
        let mut options = File::options();
        let options = options.read(true).write(true).create(true).truncate(false);
        let lock = options.open(&path).map_err(failed)?;
        lock.try_lock().map_err(|error| match error {
            TryLockError::WouldBlock => format!(
                "{} is in use by another local-replica; stop that one, or choose another folder",
                folder.display()
            ),
            TryLockError::Error(error) => failed(error),
        })?;
        let old = folder.join(OLD_JOURNAL);
        if old.exists() {
            return Err(foreign(&old, "a local-replica with format 1 of journals"));
        }
        Ok(StateFolder {
            path: folder.to_owned(),
            origin: Origin::new(config),
            compact_after: None,
            _lock: lock,
        })
    }

    /// Has the state compacted whenever its journals have more than so many bytes, however large the
    /// state is.
    pub fn compact_after(&mut self, bytes: u64) {
        self.compact_after = Some(bytes);
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    pub(crate) fn forced_compaction(&self) -> Option<u64> {
        self.compact_after
    }

    fn journal_path(&self, number: u64) -> PathBuf {
        self.path.join(format!("{NAME}.{number}.journal"))
    }

    fn snapshot_path(&self, number: u64) -> PathBuf {
        self.path.join(format!("{NAME}.{number}.snapshot"))
    }

    /// Where a snapshot is until it is complete.
    fn unfinished_path(&self) -> PathBuf {
        self.path.join(format!("{NAME}.unfinished"))
    }

    /// The numbers of the files whose names end like this, in their order.
    fn numbers(&self, ending: &str) -> Result<Vec<u64>, String> {
        let failed = |error: io::Error| format!("can't read {}: {error}", self.path.display());
        let mut numbers = Vec::new();
        for entry in fs::read_dir(&self.path).map_err(failed)? {
            let name = entry.map_err(failed)?.file_name();
            let number: Option<u64> = name.to_str().and_then(|name| {
                let rest = name.strip_prefix(NAME)?.strip_prefix('.')?;
                rest.strip_suffix(ending)?.strip_suffix('.')?.parse().ok()
            });
            numbers.extend(number);
        }
        numbers.sort_unstable();
        Ok(numbers)
    }

    /// The number of the snapshot to begin with, or 0 without one; and those of the journals to
    /// replay then, of which there is at least one.
    pub(crate) fn contents(&self) -> Result<(u64, Vec<u64>), String> {
        let first = self.numbers("snapshot")?.pop().unwrap_or(0);
        let mut journals = self.numbers("journal")?;
        journals.retain(|number| *number >= first);
        if journals.is_empty() && first == 0 {
            journals.push(0);
        }
        let last = journals.last().copied().unwrap_or(first);
        match (first..=last).find(|number| !journals.contains(number)) {
            None => Ok((first, journals)),
            Some(missing) => Err(format!(
                "{} is missing; put back a copy, or remove the folder to begin anew",
                self.journal_path(missing).display()
            )),
        }
    }

    /// Opens a journal, or makes it.
    pub(crate) fn journal(&self, number: u64) -> Result<Recovery, String> {
        Recovery::open(&self.journal_path(number), &self.origin.numbered(number))
    }

    /// Begins a journal.
    pub(crate) fn new_journal(&self, number: u64) -> Result<Journal, String> {
        let path = self.journal_path(number);
        let made = File::options().write(true).create_new(true).open(&path);
        made.map_err(|error| format!("can't make {}: {error}", path.display()))?;
        Ok(self.journal(number)?.finish()?.0)
    }

    /// Writes a snapshot, and removes what is not needed any more. Returns its size in bytes. Until it
    /// is complete, nothing changes.
    ///
    /// # Errors
    ///
    /// If that failed.
    pub(crate) fn write_snapshot(
        &self,
        number: u64,
        state: &impl Serialize,
    ) -> Result<u64, String> {
        let (unfinished, path) = (self.unfinished_path(), self.snapshot_path(number));
        let write = || -> io::Result<u64> {
            let mut out = Summed::new(BufWriter::new(File::create(&unfinished)?));
            let origin = to_cbor(&self.origin.numbered(number));
            out.write_all(&first_line(KIND))?;
            out.write_all(&(origin.len() as u32).to_le_bytes())?;
            out.write_all(&origin)?;
            ciborium::into_writer(state, &mut out).map_err(io::Error::other)?;
            let checksum = out.checksum.clone().finalize();
            let mut file = out.inner;
            file.write_all(&checksum.to_le_bytes())?;
            let file = file.into_inner().map_err(io::IntoInnerError::into_error)?;
            file.sync_all()?;
            let size = file.metadata()?.len();
            fs::rename(&unfinished, &path)?;
            sync_folder(&self.path)?;
            Ok(size)
        };
        let written = write();
        if written.is_err() {
            // It would take room of a disk that may be full.
            let _gone = fs::remove_file(&unfinished);
        }
        let size = written.map_err(|error| format!("can't write {}: {error}", path.display()))?;
        self.tidy(number);
        Ok(size)
    }

    /// Removes what nobody needs who begins with this snapshot: what stays is removed the next time.
    pub(crate) fn tidy(&self, first: u64) {
        let _gone = fs::remove_file(self.unfinished_path());
        let old = |ending| {
            let numbers = self.numbers(ending).unwrap_or_default();
            numbers.into_iter().filter(|number| *number < first)
        };
        for number in old("snapshot") {
            let _gone = fs::remove_file(self.snapshot_path(number));
        }
        for number in old("journal") {
            let _gone = fs::remove_file(self.journal_path(number));
        }
    }

    /// Opens a snapshot and checks that it is whole.
    ///
    /// # Errors
    ///
    /// Why it can't be used: in one line, and with the file's path.
    pub(crate) fn snapshot(&self, number: u64) -> Result<SavedState, String> {
        let path = self.snapshot_path(number);
        let failed = |error: io::Error| format!("can't read {}: {error}", path.display());
        let mut file = File::open(&path).map_err(failed)?;
        let line = read_up_to(&mut file, first_line(KIND).len() as u64).map_err(failed)?;
        check_first_line(KIND, &line, &path, "snapshot")?;
        let size = file.metadata().map_err(failed)?.len();
        let rest = size.saturating_sub(line.len() as u64 + CHECKSUM);
        let mut sum = Summed::new(io::sink());
        sum.write_all(&line).map_err(failed)?;
        io::copy(&mut Read::by_ref(&mut file).take(rest), &mut sum).map_err(failed)?;
        let checksum = read_up_to(&mut file, CHECKSUM).map_err(failed)?;
        if checksum != sum.checksum.finalize().to_le_bytes() {
            return Err(damaged(&path));
        }
        let mut file = BufReader::new(File::open(&path).map_err(failed)?);
        let _line = read_up_to(&mut file, line.len() as u64).map_err(failed)?;
        let mut length = [0; 4];
        file.read_exact(&mut length).map_err(failed)?;
        let origin = read_up_to(&mut file, u32::from_le_bytes(length).into()).map_err(failed)?;
        let found = serde_cbor::from_slice(&origin).map_err(|_| damaged(&path))?;
        self.origin.numbered(number).check(&found, &path)?;
        Ok(SavedState { file, path, size })
    }
}

impl SavedState {
    /// Its size in bytes.
    pub(crate) fn size(&self) -> u64 {
        self.size
    }

    /// Reads the state, and makes something of it.
    ///
    /// # Errors
    ///
    /// If it is no such state, or nothing can be made of it.
    pub(crate) fn read<T: DeserializeOwned, R>(
        self,
        make: impl FnOnce(T) -> Result<R, String>,
    ) -> Result<R, String> {
        let state = ciborium::from_reader(self.file).map_err(|error| error.to_string());
        state.and_then(make).map_err(|error| {
            format!(
                "{} can't be used ({error}), probably because another build of local-replica wrote \
                 it; start that one, or remove the folder to begin anew",
                self.path.display()
            )
        })
    }
}

fn damaged(path: &Path) -> String {
    format!(
        "{} is damaged; nothing was changed; put back a copy, or remove the folder to begin anew",
        path.display()
    )
}

fn read_up_to(file: &mut impl Read, length: u64) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    file.take(length).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// A writer that sums up what is written.
struct Summed<W> {
    inner: W,
    checksum: crc32fast::Hasher,
}

impl<W> Summed<W> {
    fn new(inner: W) -> Self {
        Summed {
            inner,
            checksum: crc32fast::Hasher::new(),
        }
    }
}

impl<W: Write> Write for Summed<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.inner.write(bytes)?;
        self.checksum.update(&bytes[..written]);
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}

fn make_folder(folder: &Path) -> io::Result<()> {
    if folder.exists() {
        return Ok(());
    }
    fs::create_dir(folder)?;
    sync_folder(&folder.canonicalize()?.join(".."))
}
