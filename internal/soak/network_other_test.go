//go:build !linux

package soak

import (
	"errors"
	"testing"
)

type network struct{}

func newNetwork(testing.TB, int) (*network, error) {
	return nil, errors.New("there are network namespaces on Linux alone")
}

func (*network) postgres() string                     { return "" }
func (*network) host(int) string                      { return "" }
func (*network) enter(int, *replica)                  {}
func (*network) cut(testing.TB, int)                  {}
func (*network) mend(testing.TB, int)                 {}
func (*network) postgresSettings(testing.TB) []string { return nil }
