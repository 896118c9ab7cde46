use super::*;

/// A file of these bytes that is removed at the end.
struct Temporary(std::path::PathBuf);

impl Temporary {
    fn new(name: &str, bytes: &[u8]) -> Self {
        let path = std::env::temp_dir().join(format!("ift-{}-{name}", std::process::id()));
        std::fs::write(&path, bytes).unwrap();
        Self(path)
    }

    fn map(&self, files: &mut MappedFiles, range: Range<usize>) -> (MappedBytes, Option<Fresh>) {
        let file = File::open(&self.0).unwrap();
        files.map(self.0.to_str().unwrap(), &file, &file.metadata().unwrap(), range).unwrap()
    }
}

impl Drop for Temporary {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

fn values(mapped: &MappedBytes) -> &[u8] {
    // SAFETY: the bytes are mapped as long as this lives.
    unsafe { std::slice::from_raw_parts(mapped.address() as *const u8, mapped.bytes()) }
}

#[test]
fn a_file_is_mapped_once_until_it_is_another() {
    let mut files = MappedFiles::default();
    let file = Temporary::new("once", &[1; 1000]);
    let (first, fresh) = file.map(&mut files, 0..10);
    assert!(fresh.is_some());
    let (second, fresh) = file.map(&mut files, 990..1000);
    assert!(fresh.is_none());
    assert_eq!(second.address() - first.address(), 990);
    drop(first);
    let other = Temporary::new("once", &[2; 1001]);
    let (third, fresh) = other.map(&mut files, 0..1001);
    assert!(fresh.is_some());
    assert_eq!(values(&third), [2; 1001]);
}

#[test]
fn bytes_that_were_let_go_come_back() {
    let mut files = MappedFiles::default();
    let bytes: Vec<u8> = (0..1 << 20).map(|i: u32| (i >> 10) as u8).collect();
    let file = Temporary::new("back", &bytes);
    let (all, _) = file.map(&mut files, 0..bytes.len());
    drop(file.map(&mut files, 1000..bytes.len() - 1000));
    assert!(values(&all) == bytes);
}

#[test]
fn a_file_that_moves_keeps_its_bytes_and_place() {
    let pool = Pool::new(2);
    let mut files = MappedFiles::default();
    // More than a slice, and neither begin nor end at a huge page.
    let bytes: Vec<u8> = (0..SLICE + 3 * HUGE + 12_345).map(|i| (i / 4099) as u8).collect();
    let file = Temporary::new("moves", &bytes);
    let (all, fresh) = file.map(&mut files, 0..bytes.len());
    let address = all.address();
    let mut moving = Moving::default();
    moving.add(fresh.unwrap());
    let mut turns = 0;
    // Nothing moves for the sake of a few steps, or of single numbers.
    for _ in 0..STEPS {
        moving.after(STEP, Duration::ZERO, &pool);
    }
    moving.after(STEP - 1, Duration::MAX, &pool);
    assert!(!all.file.moved.load(Ordering::Acquire));
    while !moving.files.is_empty() {
        moving.after(STEP, Duration::ZERO, &pool);
        turns += 1;
        assert!(values(&all) == bytes);
    }
    assert_eq!(all.address(), address);
    let moved = all.file.moved.load(Ordering::Acquire);
    assert!(turns >= if moved { 2 } else { 1 });
    assert!(moved || !cfg!(target_os = "linux") || !huge_pages_are_given());
    // What was let go of would come back empty.
    drop(file.map(&mut files, 0..bytes.len()));
    assert!(values(&all) == bytes);
}

#[test]
#[cfg(target_os = "linux")]
fn a_file_that_is_cut_short_is_zeros_and_an_error() {
    let mut files = MappedFiles::default();
    let mut read = Read::default();
    let bytes = 1 << 20;
    let file = Temporary::new("cut", &vec![3; bytes]);
    let whole = Temporary::new("whole", &vec![4; bytes]);
    let (all, fresh) = file.map(&mut files, 0..bytes);
    read.add(&fresh.unwrap());
    let (other, fresh) = whole.map(&mut files, 0..bytes);
    let mut others = Read::default();
    others.add(&fresh.unwrap());
    assert!(read.check().is_ok());
    File::options().write(true).open(&file.0).unwrap().set_len(100_000).unwrap();
    assert_eq!(copied(|| values(&all)[1000]).unwrap(), 3);
    let error = copied(|| values(&all)[500_000..].to_vec()).unwrap_err();
    assert_eq!(error.code, Code::FileChanged);
    assert!(values(&all)[500_000..].iter().all(|&byte| byte == 0));
    assert_eq!(values(&all)[1000], 3);
    // Read by several threads at once.
    std::thread::scope(|scope| {
        for part in 0..4 {
            let all = &all;
            scope.spawn(move || assert_eq!(values(all)[110_000 + 90_000 * part], 0));
        }
    });
    let error = read.check().unwrap_err();
    assert!(error.message.contains("-cut cannot be read"), "{}", error.message);
    assert!(values(&other) == vec![4; bytes] && others.check().is_ok());
    // Nobody uses it any more, and its place in the list goes to another file.
    drop(all);
    assert!(read.check().is_ok());
    let again = Temporary::new("again", &vec![5; bytes]);
    let (again, fresh) = again.map(&mut files, 0..bytes);
    read.add(&fresh.unwrap());
    assert!(read.check().is_ok() && values(&again)[bytes - 1] == 5);
}

#[test]
fn a_file_that_nobody_reads_any_more_does_not_move() {
    let file = Temporary::new("gone", &vec![7; 3 * HUGE]);
    let mut moving = Moving::default();
    let (all, fresh) = file.map(&mut MappedFiles::default(), 0..10);
    moving.add(fresh.unwrap());
    drop(all);
    moving.go_on(&Pool::new(1), Duration::ZERO);
    assert!(moving.files.is_empty());
}
