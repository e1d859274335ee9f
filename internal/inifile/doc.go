// Package inifile reads the files that settings and secrets come from, with
// suspicion: an ini file may hold known keys only, and neither it nor a file
// with a secret may be one that another user could change or read.
//
// It knows no setting and never puts a value into an error.
package inifile
