//! `log.json`: watched, not believed.

use super::Walk;
use crate::tlog::seal_file::{LogFile, SealError};
use crate::verify::is_for;
use crate::verify::listing::Group;
use crate::verify::objects::foreign;
use crate::verify::report::{Item, Kind};
use crate::worm::{ReadError, SMALL_BYTES_MAX, VERSIONS_READ_MAX, log_key, unread};

impl Walk<'_> {
    /// `log.json`, oldest version. It proves nothing, but says which key to begin with where none was brought.
    pub(super) async fn read_log_file(&mut self) {
        if let Err(error) = self.take_log_file().await {
            self.log_file_unread = true;
            self.sink.unchecked("log.json", None, error);
        }
    }

    async fn take_log_file(&mut self) -> Result<(), ReadError> {
        let key = log_key(self.scene.log);
        let versions = self.scene.store.versions(&key).await?;
        let group = Group { key: key.clone(), versions };
        let mut oldest = None;
        for version in group.data().take(VERSIONS_READ_MAX) {
            let bytes = match self.scene.store.get(&key, version.id.as_ref(), SMALL_BYTES_MAX).await {
                Ok(bytes) => bytes.unwrap_or_default(),
                Err(ReadError::TooLarge { .. }) => bytes::Bytes::new(),
                // The oldest counts; what else was put there is unchecked, and no more.
                Err(error) if oldest.is_some() => {
                    self.sink.unchecked("log.json", None, error);
                    continue;
                }
                Err(error) => return Err(error),
            };
            let name = version.id.as_ref().map_or("-", |id| id.0.as_str());
            match &oldest {
                None => {
                    self.log_file_version = version.id.clone();
                    oldest = Some(bytes);
                }
                Some(first) if *first == bytes => {
                    self.sink.note(Item::new(Kind::Duplicate, "log.json", "The same bytes were stored once more. Harmless.").intact());
                }
                Some(_) => self.sink.finding(Item { seal: None, ..foreign("log.json", 0, name, "other bytes than the oldest version") }),
            }
        }
        if unread(&group.versions).is_some() {
            let meaning = "Somebody wrote more versions over log.json than a reader looks at. The oldest counts, and was read; what those are that \
                           were not looked at is not known. Find out who can write here.";
            let found = format!("{} versions, of which the {VERSIONS_READ_MAX} oldest were read", group.data().count());
            let item = Item::new(Kind::Flooded, "log.json", meaning).expected("one version of log.json");
            self.sink.finding(item.found(found).intact());
        }
        if group.markers() > 0 {
            let meaning = "Somebody issued a DELETE over log.json. Remove the delete marker and find out who sent it.";
            self.sink.finding(Item::new(Kind::Hidden, "log.json", meaning).expected("no delete marker").intact());
        }
        let wrong = |why: &str| {
            let meaning = "log.json does not say what the format demands. It proves nothing and the seals stand without it, but readers look \
                           for the log's name there. Restore it from a copy.";
            Item::new(Kind::LogFile, "log.json", meaning).expected("the log's origin and first key").found(why).intact()
        };
        match oldest.as_deref().map(LogFile::parse) {
            None => {
                let meaning = "log.json is not there. It proves nothing and the seals stand without it, but readers look for the log's name there. Find out \
                               who could take it away, and restore it from a copy.";
                self.sink.finding(
                    Item::new(Kind::LogFile, "log.json", meaning).expected("the log's origin and first key").found("nothing").intact(),
                );
            }
            Some(Err(SealError::UnknownFormat(format))) => self.sink.unchecked("log.json", None, format!("it has format `{format}`")),
            Some(Err(error)) => self.sink.finding(wrong(&error.to_string())),
            Some(Ok(file)) => {
                if !is_for(&file.vkey, self.scene.log) {
                    self.sink.finding(wrong(&format!("origin `{}`, which does not end in `/{}`", file.origin, self.scene.log)));
                }
                self.log_file = Some(file);
            }
        }
        Ok(())
    }
}
