package signing

import "crypto/rand"

const alphanumerics = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"

// GenerateSecret returns a random secret of 43 letters and digits, 256 bits,
// that a configuration file takes without quotes.
func GenerateSecret() string {
	secret := make([]byte, 0, 43)
	var b [64]byte
	for {
		rand.Read(b[:]) // never fails: it ends the program instead
		for _, c := range b {
			if i := int(c & 63); i < len(alphanumerics) { // else some were likelier
				secret = append(secret, alphanumerics[i])
			}
			if len(secret) == cap(secret) {
				return string(secret)
			}
		}
	}
}
