//! Where a component has to come from.

use std::fmt;

use ed25519_dalek::{Signature, VerifyingKey, pkcs8::DecodePublicKey};

use super::{Digest, error::LoadProblem};

/// What is asked of a component's bytes before anything is made of them.
///
/// A signature is 64 bytes of Ed25519 (RFC 8032) over the 32 bytes of the
/// component's SHA-256, as ordinary tools make it; see [`Loader::file`] for
/// where it is looked for.
///
/// ```sh
/// openssl genpkey -algorithm ed25519 -out key.pem
/// openssl pkey -in key.pem -pubout -out key.pub.pem
/// openssl dgst -sha256 -binary -out plugin.sha256 plugin.wasm
/// openssl pkeyutl -sign -rawin -inkey key.pem -in plugin.sha256 -out plugin.wasm.sig
/// ```
///
/// [`Loader::file`]: super::Loader::file
#[derive(Debug, Clone, Default)]
pub struct Provenance {
    /// The component must be this one, byte for byte.
    pub pinned: Option<Digest>,
    /// If there are any, one of them must have signed the component.
    pub keys: Vec<PublicKey>,
}

/// Somebody whose signature is trusted.
#[derive(Clone, PartialEq, Eq)]
pub struct PublicKey(VerifyingKey);

/// A text that is no public key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not an Ed25519 public key in PEM (`-----BEGIN PUBLIC KEY-----`)")]
pub struct NotAPublicKey;

impl PublicKey {
    /// Reads `openssl pkey -pubout`'s form: a SubjectPublicKeyInfo (RFC 8410) in PEM.
    ///
    /// # Errors
    /// The text is no such key, or a weak one that would verify what it never signed.
    pub fn from_pem(text: &str) -> Result<Self, NotAPublicKey> {
        let key = VerifyingKey::from_public_key_pem(text.trim()).map_err(|_| NotAPublicKey)?;
        if key.is_weak() { Err(NotAPublicKey) } else { Ok(Self(key)) }
    }
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("PublicKey").finish_non_exhaustive()
    }
}

impl Provenance {
    /// Checks a digest, and its signature if one is asked for.
    pub(super) fn check(
        &self,
        digest: &Digest,
        signature: Option<&[u8]>,
    ) -> Result<(), LoadProblem> {
        if let Some(pinned) = self.pinned.filter(|pinned| pinned != digest) {
            return Err(LoadProblem::OtherDigest { found: *digest, pinned });
        }
        if self.keys.is_empty() {
            return Ok(());
        }
        let signature = signature.ok_or(LoadProblem::NotSigned)?;
        let signature =
            Signature::from_slice(signature).map_err(|_| LoadProblem::WrongSignature)?;
        // Strictly: without the leeway that RFC 8032 leaves to implementations.
        let verifies = |key: &PublicKey| key.0.verify_strict(digest.as_bytes(), &signature).is_ok();
        if self.keys.iter().any(verifies) { Ok(()) } else { Err(LoadProblem::WrongSignature) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // Made by the four commands above for a file that holds "abc", and a second
    // key made by the first two.
    const KEY: &str = include_str!("provenance/key.pub.pem");
    const OTHER_KEY: &str = include_str!("provenance/other.pub.pem");
    const SIGNATURE: &[u8] = include_bytes!("provenance/abc.sig");

    fn signed_by(keys: &[&str]) -> Provenance {
        let keys = keys.iter().map(|key| PublicKey::from_pem(key).expect("a key")).collect();
        Provenance { keys, ..Provenance::default() }
    }

    #[test]
    fn a_signature_made_by_openssl_verifies() {
        let digest = Digest::of(b"abc");
        assert!(signed_by(&[KEY]).check(&digest, Some(SIGNATURE)).is_ok());
        assert!(signed_by(&[OTHER_KEY, KEY]).check(&digest, Some(SIGNATURE)).is_ok());
    }

    #[test]
    fn a_signature_of_something_or_somebody_else_is_refused() {
        let digest = Digest::of(b"abc");
        let refused = |found| assert!(matches!(found, Err(LoadProblem::WrongSignature)));
        refused(signed_by(&[OTHER_KEY]).check(&digest, Some(SIGNATURE)));
        refused(signed_by(&[KEY]).check(&Digest::of(b"abd"), Some(SIGNATURE)));
        for byte in 0..SIGNATURE.len() {
            let mut forged = SIGNATURE.to_vec();
            forged[byte] ^= 1;
            refused(signed_by(&[KEY]).check(&digest, Some(&forged)));
        }
        for wrong in [&[][..], &SIGNATURE[1..], &[0; 64], &[0xff; 65]] {
            refused(signed_by(&[KEY]).check(&digest, Some(wrong)));
        }
    }

    #[test]
    fn a_missing_signature_is_missed_only_where_keys_are_configured() {
        let digest = Digest::of(b"abc");
        let found = signed_by(&[KEY]).check(&digest, None);
        assert!(matches!(found, Err(LoadProblem::NotSigned)), "{found:?}");
        assert!(Provenance::default().check(&digest, None).is_ok());
    }

    #[test]
    fn a_pinned_digest_is_the_only_one() {
        let pinned = Provenance { pinned: Some(Digest::of(b"abc")), keys: Vec::new() };
        assert!(pinned.check(&Digest::of(b"abc"), None).is_ok());
        let found = pinned.check(&Digest::of(b"abd"), None);
        assert!(matches!(found, Err(LoadProblem::OtherDigest { .. })), "{found:?}");
    }

    #[test]
    fn what_is_no_public_key_is_refused() {
        // Of order 1: it would verify a signature that anybody can make.
        let weak = "-----BEGIN PUBLIC KEY-----\nMCowBQYDK2VwAyEAAQAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n-----END PUBLIC KEY-----\n";
        for text in ["", "key", &KEY.replace("PUBLIC", "PRIVATE"), &KEY[..60], weak] {
            assert_eq!(PublicKey::from_pem(text), Err(NotAPublicKey), "{text}");
        }
    }
}
