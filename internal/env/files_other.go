//go:build !unix

package env

// syncDir does nothing: directories cannot be synced here.
func syncDir(string) error { return nil }
