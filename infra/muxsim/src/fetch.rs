//! Files that Mux fetches itself: inputs of assets and tracks, by address.

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use reqwest::Client;
use tokio::{
    fs::{self, File},
    io::AsyncWriteExt,
};
use url::{Host, Url};

use crate::media::Watch;

/// How long a server may say nothing.
const SILENCE: Duration = Duration::from_secs(30);

/// How long a file may take: whoever sends slower than that does not mean it.
const WHOLE: Duration = Duration::from_hours(6);

/// Why a file could not be had.
#[derive(Debug, thiserror::Error)]
pub(crate) enum FetchError {
    #[error("its address is not http or https")]
    Address,
    #[error("its server answered {0}")]
    Refused(u16),
    #[error("its server could not be reached, or fell silent")]
    Unreachable,
    #[error("it has more than {0} bytes")]
    TooLarge(u64),
    #[error("nobody wants it any more")]
    Cancelled,
    #[error("it could not be stored")]
    Io(#[from] std::io::Error),
}

/// Fetches a file of at most so many bytes; it appears whole or not at all.
pub(crate) async fn fetch(
    address: &str,
    to: &Path,
    most: u64,
    watch: &Watch,
) -> Result<(), FetchError> {
    let partial = partial(to);
    let fetched = tokio::select! {
        fetched = stream(address, &partial, most) => fetched,
        () = watch.cancelled() => Err(FetchError::Cancelled),
        () = tokio::time::sleep(WHOLE) => Err(FetchError::Unreachable),
    };
    if fetched.is_ok() {
        fs::rename(&partial, to).await?;
    } else {
        // It may not even have been begun.
        let _ = fs::remove_file(&partial).await;
    }
    fetched
}

fn partial(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".partial");
    name.into()
}

/// A client of its own: what is on this machine is reached without a proxy, all else as the
/// environment says.
fn client(address: &Url) -> Result<Client, FetchError> {
    let near = match address.host() {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(ip)) => ip.is_loopback(),
        Some(Host::Ipv6(ip)) => ip.is_loopback(),
        None => false,
    };
    let builder = Client::builder();
    let builder = if near { builder.no_proxy() } else { builder };
    builder.build().map_err(|_| FetchError::Unreachable)
}

async fn stream(address: &str, to: &Path, most: u64) -> Result<(), FetchError> {
    let address = web_address(address).ok_or(FetchError::Address)?;
    let waiting = tokio::time::timeout(SILENCE, client(&address)?.get(address).send());
    let Ok(Ok(mut response)) = waiting.await else {
        return Err(FetchError::Unreachable);
    };
    if !response.status().is_success() {
        return Err(FetchError::Refused(response.status().as_u16()));
    }
    if let Some(folder) = to.parent() {
        fs::create_dir_all(folder).await?;
    }
    let mut file = File::create(to).await?;
    let mut size = 0;
    loop {
        let Ok(Ok(part)) = tokio::time::timeout(SILENCE, response.chunk()).await else {
            return Err(FetchError::Unreachable);
        };
        let Some(part) = part else { break };
        size += u64::try_from(part.len()).unwrap_or(u64::MAX);
        if size > most {
            return Err(FetchError::TooLarge(most));
        }
        file.write_all(&part).await?;
    }
    file.flush().await?;
    Ok(())
}

/// An address that files may be fetched from, and webhooks sent to.
pub(crate) fn web_address(address: &str) -> Option<Url> {
    let url = Url::parse(address).ok()?;
    let good = matches!(url.scheme(), "http" | "https") && url.has_host();
    good.then_some(url)
}
