package door

// Paced is how many sources' haste is remembered.
func (h *Handler) Paced() int {
	h.pace.mu.Lock()
	defer h.pace.mu.Unlock()
	return len(h.pace.sources)
}
