//! What the server and its rendering processes say to each other, and how it is framed on their pipes.
//!
//! A frame is two lengths of four bytes, then a JSON head, then plain bytes.

use std::io::{self, Read, Write};

use bytes::Bytes;
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_json::Value;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

use crate::{
    channel::Resolution,
    document::fax::{Cover, Unfit},
};

/// What a process is asked to do.
#[derive(Debug, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "lowercase")]
pub enum Request {
    /// Take the files of a workflow; their bytes follow one after the other.
    Load { digest: String, files: Vec<(String, usize)> },
    /// Render a template of the workflow with that digest.
    Render { digest: String, template: String, context: Value },
    /// Count the pages of the PDF that follows.
    Count,
    /// Make one fax of the files that follow one after the other.
    Fax { resolution: Resolution, files: Vec<(String, usize)>, cover: Option<Front> },
    /// Draw this page, from 1, of the fax that follows.
    Picture { page: usize },
}

/// A cover page, and the workflow with that digest whose template it is.
#[derive(Debug, Serialize, Deserialize)]
pub struct Front {
    pub digest: String,
    pub cover: Cover,
}

/// What a process answers.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "lowercase")]
pub enum Answer {
    /// It has the files.
    Loaded,
    /// It does not know the workflow and has to be given its files.
    Missing,
    /// The rendered PDF follows.
    Rendered {
        pages: i32,
    },
    Counted {
        pages: i32,
    },
    /// The TIFF follows; so many octets are sent for each page.
    Faxed {
        octets: Vec<u32>,
    },
    /// The PNG follows, unless there is no such page.
    Pictured {
        found: bool,
    },
    /// It cannot become a fax.
    Unfit(Unfit),
    /// It cannot be done, for this reason.
    Refused {
        text: String,
    },
}

/// A head and the bytes after it.
#[derive(Debug)]
pub struct Frame<T> {
    pub head: T,
    pub body: Bytes,
}

/// Reads a frame, or `None` at the end of the pipe.
pub fn read<T: DeserializeOwned>(pipe: &mut impl Read) -> io::Result<Option<Frame<T>>> {
    let mut sizes = [0; 8];
    match pipe.read_exact(&mut sizes) {
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(None),
        other => other?,
    }
    let [head_size, body_size] = split(sizes);
    let (mut head, mut body) = (vec![0; head_size], vec![0; body_size]);
    pipe.read_exact(&mut head)?;
    pipe.read_exact(&mut body)?;
    Ok(Some(Frame { head: serde_json::from_slice(&head)?, body: body.into() }))
}

/// Writes a frame.
pub fn write(pipe: &mut impl Write, head: &impl Serialize, body: &[u8]) -> io::Result<()> {
    let head = serde_json::to_vec(head)?;
    pipe.write_all(&join(head.len(), body.len())?)?;
    pipe.write_all(&head)?;
    pipe.write_all(body)?;
    pipe.flush()
}

/// Reads a frame without holding up the thread.
pub async fn receive<T: DeserializeOwned>(pipe: &mut (impl AsyncRead + Unpin)) -> io::Result<Frame<T>> {
    let mut sizes = [0; 8];
    pipe.read_exact(&mut sizes).await?;
    let [head_size, body_size] = split(sizes);
    let (mut head, mut body) = (vec![0; head_size], vec![0; body_size]);
    pipe.read_exact(&mut head).await?;
    pipe.read_exact(&mut body).await?;
    Ok(Frame { head: serde_json::from_slice(&head)?, body: body.into() })
}

/// Writes a frame without holding up the thread.
pub async fn send(pipe: &mut (impl AsyncWrite + Unpin), head: &impl Serialize, body: &[u8]) -> io::Result<()> {
    let head = serde_json::to_vec(head)?;
    pipe.write_all(&join(head.len(), body.len())?).await?;
    pipe.write_all(&head).await?;
    pipe.write_all(body).await?;
    pipe.flush().await
}

fn join(head: usize, body: usize) -> io::Result<[u8; 8]> {
    let size = |length: usize| u32::try_from(length).map_err(|_| io::Error::from(io::ErrorKind::FileTooLarge));
    let mut sizes = [0; 8];
    sizes[..4].copy_from_slice(&size(head)?.to_be_bytes());
    sizes[4..].copy_from_slice(&size(body)?.to_be_bytes());
    Ok(sizes)
}

fn split(sizes: [u8; 8]) -> [usize; 2] {
    let [a, b, c, d, e, f, g, h] = sizes;
    [[a, b, c, d], [e, f, g, h]].map(|size| u32::from_be_bytes(size) as usize)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_frame_comes_out_as_it_went_in() {
        let mut pipe = Vec::new();
        write(&mut pipe, &Answer::Rendered { pages: 2 }, b"%PDF").expect("written");
        let frame = read::<Answer>(&mut pipe.as_slice()).expect("read").expect("a frame");
        assert_eq!((frame.head, &frame.body[..]), (Answer::Rendered { pages: 2 }, &b"%PDF"[..]));
        assert!(read::<Answer>(&mut [].as_slice()).expect("read").is_none());
    }
}
