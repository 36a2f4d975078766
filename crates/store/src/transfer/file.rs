//! A backup's file: encrypted under a passphrase, in chunks, so that it is written and read at
//! the speed of the disk with little memory, and so that a missing end is noticed.
//!
//! Form: magic ‖ cost of Argon2id (memory KiB, passes, lanes; 4 bytes each) ‖ salt (16) ‖ nonce's
//! beginning (16), then chunks: length (4 bytes; the highest bit marks the last one) ‖
//! XChaCha20-Poly1305 of it. A chunk's nonce ends with its number; all that stands before the
//! first chunk, and whether a chunk is the last, is authenticated with it. Inside: one JSON piece
//! a line.

use super::{Contents, Outlet, Piece, TransferError, broken_off};
use argon2::{Algorithm, Argon2, Params, Version};
use chacha20poly1305::aead::{AeadInOut, KeyInit};
use chacha20poly1305::{Key, XChaCha20Poly1305, XNonce};
use claviger_core::ports::Entropy;
use claviger_core::secret::Secret;
use std::fs::{self, File, OpenOptions};
use std::io::{self, BufReader, BufWriter, Read, Write};
use std::path::{Path, PathBuf};
use tokio::sync::mpsc;
use zeroize::Zeroizing;

/// The shortest passphrase that is taken.
pub const PASSPHRASE_LEN_MIN: usize = 12;

const MAGIC: &[u8] = b"claviger backup 1\n";
const HEADER: usize = MAGIC.len() + 12 + 16 + 16;
/// Clear bytes in a chunk.
const CHUNK: usize = 64 * 1024;
const TAG: usize = 16;
const LAST: u32 = 1 << 31;
/// What Argon2id costs: memory KiB, passes, lanes. About a fifth of a second.
const COST: [u32; 3] = [64 * 1024, 3, 1];
/// The most that a file may ask for, so that a wrong file cannot take the machine.
const COST_MAX: [u32; 3] = [1024 * 1024, 16, 8];
/// The longest line, bytes: a row with its largest columns is far below.
const LINE_MAX: usize = 64 << 20;

struct Cipher {
    cipher: XChaCha20Poly1305,
    header: Vec<u8>,
    number: u64,
}

impl Cipher {
    fn new(passphrase: &Secret, header: &[u8]) -> Result<Self, TransferError> {
        let number = |at: usize| {
            let bytes = header.get(at..at + 4).and_then(|b| b.try_into().ok());
            u32::from_be_bytes(bytes.unwrap_or_default())
        };
        let at = MAGIC.len();
        let cost = [number(at), number(at + 4), number(at + 8)];
        if cost.iter().zip(COST_MAX).any(|(cost, max)| *cost > max) {
            return Err(TransferError::NotABackup);
        }
        let params = Params::new(cost[0], cost[1], cost[2], Some(32));
        let params = params.map_err(|_| TransferError::NotABackup)?;
        let argon = Argon2::new(Algorithm::Argon2id, Version::V0x13, params);
        let mut key = Zeroizing::new([0; 32]);
        argon
            .hash_password_into(
                passphrase.expose().as_bytes(),
                &header[at + 12..at + 28],
                &mut *key,
            )
            .map_err(|_| TransferError::WrongPassphrase)?;
        Ok(Self {
            cipher: XChaCha20Poly1305::new(&Key::from(*key)),
            header: header.to_vec(),
            number: 0,
        })
    }

    fn next(&mut self, last: bool) -> (XNonce, Vec<u8>) {
        let mut nonce = [0; 24];
        nonce[..16].copy_from_slice(&self.header[HEADER - 16..]);
        nonce[16..].copy_from_slice(&self.number.to_be_bytes());
        self.number += 1;
        let mut data = self.header.clone();
        data.push(u8::from(last));
        (XNonce::from(nonce), data)
    }

    fn seal(&mut self, chunk: &mut Vec<u8>, last: bool) -> Result<(), TransferError> {
        let (nonce, data) = self.next(last);
        let sealed = self.cipher.encrypt_in_place(&nonce, &data, chunk);
        sealed.map_err(|_| TransferError::Damaged)
    }

    fn open(&mut self, chunk: &mut Vec<u8>, last: bool) -> Result<(), TransferError> {
        let first = self.number == 0;
        let (nonce, data) = self.next(last);
        let opened = self.cipher.decrypt_in_place(&nonce, &data, chunk);
        opened.map_err(|_| match first {
            true => TransferError::WrongPassphrase,
            false => TransferError::Damaged,
        })
    }
}

/// Removes what was not finished.
struct Unfinished(Option<PathBuf>);

impl Drop for Unfinished {
    fn drop(&mut self) {
        if let Some(path) = &self.0 {
            let _ = fs::remove_file(path);
        }
    }
}

/// Writes the pieces into a new file, which appears under its name only when it is whole and on
/// the disk.
pub(super) fn write(
    path: &Path,
    passphrase: &Secret,
    entropy: &dyn Entropy,
    mut pieces: mpsc::Receiver<Piece>,
) -> Result<(), TransferError> {
    if passphrase.expose().chars().count() < PASSPHRASE_LEN_MIN {
        return Err(TransferError::ShortPassphrase);
    }
    if path.exists() {
        return Err(io::Error::from(io::ErrorKind::AlreadyExists).into());
    }
    let mut name = path.as_os_str().to_owned();
    name.push(".part");
    let part = PathBuf::from(name);
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let file = options.open(&part)?;
    let mut unfinished = Unfinished(Some(part.clone()));
    let mut out = BufWriter::new(file);
    let mut header = MAGIC.to_vec();
    for cost in COST {
        header.extend_from_slice(&cost.to_be_bytes());
    }
    let mut random = [0; 32];
    entropy.fill(&mut random);
    header.extend_from_slice(&random);
    out.write_all(&header)?;
    let mut cipher = Cipher::new(passphrase, &header)?;
    let mut clear: Vec<u8> = Vec::with_capacity(CHUNK * 2);
    loop {
        let piece = pieces.blocking_recv().ok_or_else(broken_off)?;
        serde_json::to_writer(&mut clear, &piece).map_err(io::Error::from)?;
        clear.push(b'\n');
        while clear.len() > CHUNK {
            let rest = clear.split_off(CHUNK);
            put(&mut out, &mut cipher, clear, false)?;
            clear = rest;
        }
        if matches!(piece, Piece::End(_)) {
            break;
        }
    }
    put(&mut out, &mut cipher, clear, true)?;
    out.flush()?;
    out.get_ref().sync_all()?;
    fs::rename(&part, path)?;
    unfinished.0 = None;
    let directory = path.parent().filter(|p| !p.as_os_str().is_empty());
    File::open(directory.unwrap_or(Path::new(".")))?.sync_all()?;
    Ok(())
}

fn put(
    out: &mut impl Write,
    cipher: &mut Cipher,
    mut chunk: Vec<u8>,
    last: bool,
) -> Result<(), TransferError> {
    cipher.seal(&mut chunk, last)?;
    let length = u32::try_from(chunk.len()).map_err(|_| TransferError::Damaged)?;
    let length = if last { length | LAST } else { length };
    out.write_all(&length.to_be_bytes())?;
    out.write_all(&chunk)?;
    Ok(())
}

/// Sends the pieces of a file.
pub(super) fn read(
    path: &Path,
    passphrase: &Secret,
    outlet: &Outlet,
) -> Result<Contents, TransferError> {
    let mut file = BufReader::new(File::open(path)?);
    let mut header = vec![0; HEADER];
    let short = |_| TransferError::NotABackup;
    file.read_exact(&mut header).map_err(short)?;
    if !header.starts_with(MAGIC) {
        return Err(TransferError::NotABackup);
    }
    let mut cipher = Cipher::new(passphrase, &header)?;
    let mut clear: Vec<u8> = Vec::new();
    let mut contents = None;
    loop {
        let (mut chunk, last) = chunk(&mut file)?;
        cipher.open(&mut chunk, last)?;
        clear.extend_from_slice(&chunk);
        let mut begun = 0;
        while let Some(length) = clear[begun..].iter().position(|byte| *byte == b'\n') {
            let line = &clear[begun..begun + length];
            let piece = serde_json::from_slice(line).map_err(|_| TransferError::Damaged)?;
            match piece {
                // Held back: what reads it as done must not see it before the file's own end.
                Piece::End(said) => contents = Some(said),
                piece => outlet.send_blocking(piece)?,
            }
            begun += length + 1;
        }
        clear.drain(..begun);
        if clear.len() > LINE_MAX {
            return Err(TransferError::Damaged);
        }
        if last {
            break;
        }
    }
    let mut more = [0];
    if file.read(&mut more)? > 0 {
        return Err(TransferError::Damaged);
    }
    let contents: Contents = contents.ok_or(TransferError::Truncated)?;
    outlet.send_blocking(Piece::End(contents.clone()))?;
    Ok(contents)
}

fn chunk(file: &mut impl Read) -> Result<(Vec<u8>, bool), TransferError> {
    let cut = |error: io::Error| match error.kind() {
        io::ErrorKind::UnexpectedEof => TransferError::Truncated,
        _ => error.into(),
    };
    let mut length = [0; 4];
    file.read_exact(&mut length).map_err(cut)?;
    let length = u32::from_be_bytes(length);
    let last = length & LAST != 0;
    let length = usize::try_from(length & !LAST).unwrap_or(usize::MAX);
    if !(TAG..=CHUNK + TAG).contains(&length) {
        return Err(TransferError::Damaged);
    }
    let mut chunk = vec![0; length];
    file.read_exact(&mut chunk).map_err(cut)?;
    Ok((chunk, last))
}
