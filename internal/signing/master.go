package signing

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strings"
)

// MasterBytes is the length of a master key in bytes.
const MasterBytes = 32

// Why a sealed value does not open.
var (
	// ErrMaster: the value was sealed under another master key than this one.
	ErrMaster = errors.New("sealed under another master key")
	// ErrSealed: the value is damaged, or was sealed for another context.
	ErrSealed = errors.New("sealed value damaged or of another context")
)

// Master is the master key: what all that is kept sealed, and all that is
// derived, hangs on. It is safe for concurrent use and prints as redacted.
type Master struct {
	// A pointer, since fmt prints the unexported fields of other structs without
	// asking their methods, and with some verbs follows one pointer, not two.
	secret *[MasterBytes]byte
	aead   cipher.AEAD
	mark   [markBytes]byte
}

// A sealed value is version 1, mark 8, nonce 12, ciphertext, tag 16. The mark
// tells one master key from another without telling anything of either.
const (
	sealedVersion = 1
	markBytes     = 8
	headBytes     = 1 + markBytes
)

// NewMaster makes a random master key, for a store that keeps nothing.
func NewMaster() *Master {
	var secret [MasterBytes]byte
	rand.Read(secret[:]) // never fails: it ends the program instead
	return newMaster(secret)
}

// ParseMaster reads a master key from the base64 (RFC 4648 section 4) of 32
// bytes; white space around it is ignored. The error does not quote the text.
func ParseMaster(text string) (*Master, error) {
	secret, err := base64.StdEncoding.Strict().DecodeString(strings.TrimSpace(text))
	if err != nil || len(secret) != MasterBytes {
		return nil, fmt.Errorf("master key is not the base64 of %d bytes", MasterBytes)
	}
	return newMaster([MasterBytes]byte(secret)), nil
}

func newMaster(secret [MasterBytes]byte) *Master {
	m := &Master{secret: &secret}
	block, err := aes.NewCipher(m.derive("seal", 32))
	if err == nil {
		m.aead, err = cipher.NewGCMWithRandomNonce(block)
	}
	if err != nil {
		panic(err) // cannot be: AES has keys of 32 bytes, and GCM its blocks
	}
	copy(m.mark[:], m.derive("mark", markBytes))
	return m
}

// Seal encrypts and authenticates a value with AES-256-GCM under a random
// nonce. Open gives it back for the same context only, which is authenticated
// but not kept: the key's ID, say. One master key may seal 2^32 values.
func (m *Master) Seal(plain []byte, context string) ([]byte, error) {
	head := m.head()
	return m.aead.Seal(head, nil, plain, additional(head, context)), nil
}

// Open decrypts what Seal made for the same context. The error is ErrMaster or
// ErrSealed.
func (m *Master) Open(sealed []byte, context string) ([]byte, error) {
	if len(sealed) < headBytes || sealed[0] != sealedVersion {
		return nil, ErrSealed
	}
	head := m.head()
	if !hmac.Equal(sealed[:headBytes], head) {
		return nil, ErrMaster
	}
	plain, err := m.aead.Open(nil, nil, sealed[headBytes:], additional(head, context))
	if err != nil {
		return nil, ErrSealed
	}
	return plain, nil
}

func (m *Master) head() []byte { return append([]byte{sealedVersion}, m.mark[:]...) }

func additional(head []byte, context string) []byte {
	return append(append(make([]byte, 0, len(head)+len(context)), head...), context...)
}

// Derive gives n bytes for a purpose by HKDF-SHA256 (RFC 5869): the same for
// the same label, independent for every other. n is at most 8160, and a
// constant of the caller's: it panics beyond.
func (m *Master) Derive(label string, n int) []byte { return m.derive("derive "+label, n) }

// derive takes labels of its own, which no label of Derive can equal.
func (m *Master) derive(info string, n int) []byte {
	b, err := hkdf.Key(sha256.New, m.secret[:], nil, "ats-auth "+info, n)
	if err != nil {
		panic(fmt.Sprintf("signing: derive %d bytes: %v", n, err))
	}
	return b
}

// encode gives the text that ParseMaster reads.
func (m *Master) encode() string { return base64.StdEncoding.EncodeToString(m.secret[:]) }

const redacted = "<redacted>"

// Format prints the redacted form for every verb.
func (m *Master) Format(f fmt.State, _ rune) { io.WriteString(f, redacted) }

// LogValue gives log/slog the redacted form.
func (m *Master) LogValue() slog.Value { return slog.StringValue(redacted) }
