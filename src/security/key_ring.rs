//! A key that takes another's place while both are in use: what is sealed from now on is sealed under the present one, and
//! what was sealed under the one before it still opens, told apart by the key's id in front.

use std::sync::Arc;

use uuid::Uuid;
use zeroize::Zeroizing;

use super::envelope::{BusinessKey, KeyId, KeyWrapper, MasterKey, Place, SealError};
use super::random::Rng;

/// The master key, and the one that was in use before it. Each is in this process's memory, or is kept by a service.
#[derive(Clone, Debug)]
pub struct MasterKeys {
    present: Arc<dyn KeyWrapper>,
    previous: Option<Arc<dyn KeyWrapper>>,
}

impl MasterKeys {
    /// These keys, in memory.
    pub fn new(present: MasterKey, previous: Option<MasterKey>) -> Self {
        Self::of(Arc::new(present), previous.map(|previous| Arc::new(previous) as Arc<dyn KeyWrapper>))
    }

    /// These keys, wherever they are kept. One may take the place of another of a different kind, by `keys rotate` as always.
    pub fn of(present: Arc<dyn KeyWrapper>, previous: Option<Arc<dyn KeyWrapper>>) -> Self {
        Self { present, previous }
    }

    /// Which key wraps from now on.
    pub fn present(&self) -> KeyId {
        self.present.id()
    }

    /// Wraps the key of `holder` (a business or a person) for storage, under the present master key.
    ///
    /// # Errors
    /// Where the cipher itself fails, or the service that keeps the master key does not answer.
    pub fn wrap(&self, rng: &dyn Rng, holder: Uuid, key: &BusinessKey) -> Result<Vec<u8>, SealError> {
        let wrapped = self.present.wrap(rng, holder, key.material())?;
        // By its head it is found again: stored without, it would never open.
        if KeyId::of_sealed(&wrapped) == Some(self.present.id()) { Ok(wrapped) } else { Err(SealError) }
    }

    /// Unwraps the key of `holder`, by the master key that wrapped it.
    ///
    /// # Errors
    /// Where it was wrapped by neither, for another holder, or was changed.
    pub fn unwrap_key(&self, holder: Uuid, wrapped: &[u8]) -> Result<BusinessKey, SealError> {
        let id = KeyId::of_sealed(wrapped).ok_or(SealError)?;
        let mut keys = std::iter::once(&self.present).chain(&self.previous);
        keys.find(|key| key.id() == id).ok_or(SealError)?.unwrap_key(holder, wrapped).map(BusinessKey::from_material)
    }

    /// The same key of `holder`, wrapped under the present master key.
    ///
    /// # Errors
    /// As [`MasterKeys::unwrap_key`].
    pub fn rewrap(&self, rng: &dyn Rng, holder: Uuid, wrapped: &[u8]) -> Result<Vec<u8>, SealError> {
        self.wrap(rng, holder, &self.unwrap_key(holder, wrapped)?)
    }

    /// The keys of a business, as its row has them.
    ///
    /// # Errors
    /// As [`MasterKeys::unwrap_key`].
    pub fn of_business(&self, business: Uuid, wrapped: &[u8], previous: Option<&[u8]>) -> Result<BusinessKeys, SealError> {
        let previous = previous.map(|wrapped| self.unwrap_key(business, wrapped)).transpose()?;
        Ok(BusinessKeys { present: self.unwrap_key(business, wrapped)?, previous })
    }
}

/// The key that seals the values of one business, and the one that still opens what was not sealed anew yet.
#[derive(Clone, Debug)]
pub struct BusinessKeys {
    present: BusinessKey,
    previous: Option<BusinessKey>,
}

impl BusinessKeys {
    /// Which key seals from now on.
    pub const fn present(&self) -> KeyId {
        self.present.id()
    }

    /// Whether what was sealed under that key opens.
    pub fn know(&self, id: KeyId) -> bool {
        self.all().any(|key| key.id() == id)
    }

    /// Seals `plaintext` for `place`, under the present key.
    ///
    /// # Errors
    /// Only where the cipher itself fails (256 GiB and more).
    pub fn seal(&self, rng: &dyn Rng, place: &Place<'_>, plaintext: &[u8]) -> Result<Vec<u8>, SealError> {
        self.present.seal(rng, place, plaintext)
    }

    /// Opens what was sealed for `place`, by the key that sealed it.
    ///
    /// # Errors
    /// Where it was sealed by neither, for another place, or was changed.
    pub fn open(&self, place: &Place<'_>, sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>, SealError> {
        self.of(sealed)?.open(place, sealed)
    }

    /// Opens what was sealed for `place` and is text.
    ///
    /// # Errors
    /// As [`BusinessKeys::open`], and where it is not UTF-8.
    pub fn open_text(&self, place: &Place<'_>, sealed: &[u8]) -> Result<String, SealError> {
        self.of(sealed)?.open_text(place, sealed)
    }

    /// The key that sealed this.
    fn of(&self, sealed: &[u8]) -> Result<&BusinessKey, SealError> {
        let id = KeyId::of_sealed(sealed).ok_or(SealError)?;
        self.all().find(|key| key.id() == id).ok_or(SealError)
    }

    /// The keys, the present one first.
    fn all(&self) -> impl Iterator<Item = &BusinessKey> {
        std::iter::once(&self.present).chain(&self.previous)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::KeyMaterial;
    use crate::security::random::SeededRng;

    const BUSINESS: Uuid = Uuid::from_u128(1);
    const PLACE: Place<'static> = Place { business: BUSINESS, table: "businesses", column: "tax_id", row: BUSINESS };

    fn master(byte: u8) -> MasterKey {
        MasterKey::new(KeyMaterial::from_bytes([byte; 32]))
    }

    #[test]
    fn a_key_that_was_wrapped_by_the_master_key_before_unwraps_and_is_wrapped_by_the_present_one() {
        let rng = SeededRng::new(1);
        let key = BusinessKey::generate(&rng);
        let old = MasterKeys::new(master(1), None).wrap(&rng, BUSINESS, &key).unwrap();
        let both = MasterKeys::new(master(2), Some(master(1)));
        assert_eq!(both.unwrap_key(BUSINESS, &old).unwrap().id(), key.id());
        let new = both.rewrap(&rng, BUSINESS, &old).unwrap();
        assert_eq!(KeyId::of_sealed(&new), Some(master(2).id()));
        let alone = MasterKeys::new(master(2), None);
        assert_eq!(alone.unwrap_key(BUSINESS, &new).unwrap().id(), key.id());
        assert!(alone.unwrap_key(BUSINESS, &old).is_err(), "without the old one, what it wrapped stays shut");
        assert!(both.rewrap(&rng, Uuid::from_u128(2), &old).is_err(), "and for another business");
    }

    #[test]
    fn a_business_opens_what_either_of_its_keys_sealed_and_seals_by_the_present_one() {
        let rng = SeededRng::new(1);
        let (first, second) = (BusinessKey::generate(&rng), BusinessKey::generate(&rng));
        let masters = MasterKeys::new(master(1), None);
        let wrapped = |key| masters.wrap(&rng, BUSINESS, key).unwrap();
        let keys = masters.of_business(BUSINESS, &wrapped(&second), Some(&wrapped(&first))).unwrap();
        let old = first.seal(&rng, &PLACE, b"P051234567X").unwrap();
        assert_eq!(keys.open_text(&PLACE, &old).unwrap(), "P051234567X");
        let new = keys.seal(&rng, &PLACE, b"P051234567X").unwrap();
        assert_eq!((KeyId::of_sealed(&new), keys.present()), (Some(second.id()), second.id()));
        assert!(keys.know(first.id()) && keys.know(second.id()));
        let later = masters.of_business(BUSINESS, &wrapped(&second), None).unwrap();
        assert!(later.open(&PLACE, &new).is_ok() && later.open(&PLACE, &old).is_err() && !later.know(first.id()));
    }
}
