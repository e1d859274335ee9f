package issuer

import "context"

// Purge is what Run does every ten seconds.
func (i *Issuer) Purge(ctx context.Context) { i.purge(ctx) }

// Follow is what Run does ten times a second.
func (i *Issuer) Follow(ctx context.Context) error { return i.sync(ctx) }
