use std::fs;
use std::sync::atomic::{AtomicU32, Ordering};

use super::*;

/// A folder of its own that is gone afterwards.
struct Folder(PathBuf);

impl Folder {
    fn new() -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = format!("local-replica-journal-{}-{number}", std::process::id());
        let folder = Folder(std::env::temp_dir().join(name));
        fs::create_dir_all(&folder.0).unwrap();
        folder
    }

    fn journal(&self) -> PathBuf {
        self.0.join("journal")
    }

    fn bytes(&self) -> Vec<u8> {
        fs::read(self.journal()).unwrap()
    }

    fn put(&self, bytes: &[u8]) {
        fs::write(self.journal(), bytes).unwrap();
    }

    /// The contents of all frames, the bytes that were cut off, and the journal.
    fn open(&self) -> Result<(Vec<Vec<u8>>, u64, Journal), String> {
        let mut recovery = Recovery::open(&self.journal(), &Origin::new(&Config::default()))?;
        let mut frames = Vec::new();
        while let Some(frame) = recovery.next_frame()? {
            frames.push(frame);
        }
        let (journal, cut) = recovery.finish()?;
        Ok((frames, cut, journal))
    }

    /// What there is to say against the journal, which is not changed.
    fn refusal(&self) -> String {
        let before = self.bytes();
        let refusal = self.open().map(|_| ()).unwrap_err();
        assert_eq!(self.bytes(), before);
        assert_eq!(refusal.lines().count(), 1);
        assert!(
            refusal.contains(self.journal().to_str().unwrap()),
            "{refusal}"
        );
        refusal
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _gone = fs::remove_dir_all(&self.0);
    }
}

/// A journal with one frame for each of the texts, and where they begin.
fn journal(texts: &[&str]) -> (Folder, Vec<usize>) {
    let folder = Folder::new();
    let (_, _, mut journal) = folder.open().unwrap();
    let mut places = Vec::new();
    for text in texts {
        places.push(folder.bytes().len());
        journal.add(text.as_bytes());
        journal.save().unwrap();
    }
    (folder, places)
}

fn texts(frames: &[Vec<u8>]) -> Vec<&str> {
    let texts = frames.iter().map(|frame| str::from_utf8(frame).unwrap());
    texts.collect()
}

#[test]
fn what_was_saved_together_is_read_together() {
    let folder = Folder::new();
    let (frames, cut, mut journal) = folder.open().unwrap();
    assert_eq!((frames.len(), cut), (0, 0));
    journal.add(b"one");
    journal.add(b"two");
    journal.save().unwrap();
    journal.save().unwrap();
    journal.add(b"three");
    journal.save().unwrap();
    journal.add(b"not saved");
    assert!(!journal.is_saved());
    drop(journal);
    let (frames, cut, _) = folder.open().unwrap();
    assert_eq!((texts(&frames), cut), (vec!["onetwo", "three"], 0));
}

#[test]
fn last_frame_is_cut_off_wherever_it_ends() {
    let (folder, places) = journal(&["first", "second", "the last"]);
    let (whole, last) = (folder.bytes(), places[2]);
    for end in last..whole.len() {
        folder.put(&whole[..end]);
        let (frames, cut, mut journal) = folder.open().unwrap();
        assert_eq!(texts(&frames), ["first", "second"], "cut at {end}");
        assert_eq!(cut, (end - last) as u64);
        assert_eq!(folder.bytes(), whole[..last]);
        journal.add(b"other");
        journal.save().unwrap();
        drop(journal);
        let (frames, cut, _) = folder.open().unwrap();
        assert_eq!((texts(&frames), cut), (vec!["first", "second", "other"], 0));
    }
}

#[test]
fn last_frame_with_a_wrong_bit_is_cut_off() {
    let (folder, places) = journal(&["first", "the last"]);
    let whole = folder.bytes();
    for at in places[1]..whole.len() {
        for bit in 0..8 {
            let mut bytes = whole.clone();
            bytes[at] ^= 1 << bit;
            folder.put(&bytes);
            let (frames, cut, _) = folder.open().unwrap();
            assert_eq!(texts(&frames), ["first"], "bit {bit} of byte {at}");
            assert_eq!(cut, (whole.len() - places[1]) as u64);
        }
    }
}

#[test]
fn zeros_that_a_crash_of_the_machine_left_are_cut_off() {
    let (folder, _) = journal(&["first"]);
    let mut bytes = folder.bytes();
    bytes.resize(bytes.len() + 5000, 0);
    folder.put(&bytes);
    let (frames, cut, _) = folder.open().unwrap();
    assert_eq!((texts(&frames), cut), (vec!["first"], 5000));
}

#[test]
fn wrong_bit_before_the_last_frame_is_refused_with_its_place() {
    let (folder, places) = journal(&["first", "second", "the last"]);
    let whole = folder.bytes();
    for at in places[0]..places[2] {
        let mut bytes = whole.clone();
        bytes[at] ^= 1 << (at % 8);
        folder.put(&bytes);
        let place = if at < places[1] { places[0] } else { places[1] };
        let refusal = folder.refusal();
        assert!(
            refusal.contains(&format!("is damaged at byte {place},")),
            "byte {at}: {refusal}"
        );
    }
}

#[test]
fn zeros_in_the_place_of_a_frame_before_the_last_are_refused() {
    let (folder, places) = journal(&["first", "second", "the last"]);
    let whole = folder.bytes();
    let bytes = [
        &whole[..places[0]],
        &vec![0; places[1] - places[0]],
        &whole[places[1]..],
    ]
    .concat();
    folder.put(&bytes);
    let refusal = folder.refusal();
    assert!(
        refusal.contains(&format!("damaged at byte {}", places[0])),
        "{refusal}"
    );
}

#[test]
fn damage_that_is_longer_than_any_frame_is_refused() {
    let (folder, places) = journal(&["first", "the last"]);
    let file = File::options().write(true).open(folder.journal()).unwrap();
    let longer = places[1] + HEAD + MAX_CONTENT + 1;
    file.set_len(places[1] as u64).unwrap();
    file.set_len(longer as u64).unwrap();
    let refusal = folder.open().map(|_| ()).unwrap_err();
    assert!(
        refusal.contains(&format!("damaged at byte {}", places[1])),
        "{refusal}"
    );
    assert_eq!(file.metadata().unwrap().len(), longer as u64);
}

#[test]
fn damaged_beginning_is_refused() {
    let (folder, places) = journal(&["first"]);
    let whole = folder.bytes();
    for at in 0..places[0] {
        let mut bytes = whole.clone();
        bytes[at] ^= 1;
        folder.put(&bytes);
        folder.refusal();
    }
}

#[test]
fn journal_whose_making_was_interrupted_is_made_anew() {
    let (folder, _) = journal(&[]);
    let whole = folder.bytes();
    for end in 0..whole.len() {
        folder.put(&whole[..end]);
        let (frames, cut, _) = folder.open().unwrap();
        assert_eq!((frames.len(), cut), (0, 0));
        assert_eq!(folder.bytes(), whole);
    }
}

#[test]
fn file_of_another_kind_or_format_is_refused() {
    let folder = Folder::new();
    for (bytes, words) in [
        (
            b"something else".as_slice(),
            "is not a journal of local-replica",
        ),
        (&[0; 10_000], "is not a journal of local-replica"),
        (
            b"local-replica journal, format 1\n and more",
            "was written by a local-replica with format 1 of journals",
        ),
    ] {
        folder.put(bytes);
        let refusal = folder.refusal();
        assert!(refusal.contains(words), "{refusal}");
    }
}

#[test]
fn journal_of_another_origin_is_refused() {
    let folder = Folder::new();
    let (ours, mut other) = (Config::default(), Config::default());
    other.limits.message_instructions += 1;
    for (origin, words) in [
        (
            Origin::new(&other),
            "with another seed, start time or limits",
        ),
        (Origin::new(&ours).numbered(7), "under another name"),
    ] {
        folder.put(&beginning(&origin));
        let refusal = folder.refusal();
        assert!(refusal.contains(words), "{refusal}");
    }
    // The number of the format says whether it can be read, not the version of the program.
    let origin = Origin {
        program: "0.0.1".to_owned(),
        ..Origin::new(&ours)
    };
    folder.put(&beginning(&origin));
    folder.open().unwrap();
}

#[test]
fn journal_that_another_follows_is_whole_or_refused() {
    let (folder, places) = journal(&["first", "the last"]);
    let read = |folder: &Folder| {
        let origin = Origin::new(&Config::default());
        let mut recovery = Recovery::open(&folder.journal(), &origin).unwrap();
        while recovery.next_frame().unwrap().is_some() {}
        recovery.finish_whole()
    };
    read(&folder).unwrap();
    let mut bytes = folder.bytes();
    bytes.pop();
    folder.put(&bytes);
    let refusal = read(&folder).unwrap_err();
    assert!(
        refusal.contains(&format!("is damaged at byte {},", places[1])),
        "{refusal}"
    );
}
