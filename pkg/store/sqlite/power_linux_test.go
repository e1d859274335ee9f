package sqlite

import (
	"bufio"
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"
)

// What is lost without a flush at every commit proves that the disk forgets what was
// not flushed.
func TestAPowerCutTakesNothingThatWasAnsweredWhereEveryCommitIsFlushed(t *testing.T) {
	if lost, flushes := powerCuts(t, "FULL"); lost != 0 || flushes == 0 {
		t.Errorf("synchronous=FULL: %d answered revocations are lost, with %d flushes", lost, flushes)
	}
	if lost, _ := powerCuts(t, "NORMAL"); lost == 0 {
		t.Error("synchronous=NORMAL: nothing is lost, so nothing was tested")
	}
}

// powerCuts lets the power fail under a child that writes, and counts what it had
// answered and is not there any more.
func powerCuts(t *testing.T, synchronous string) (lost, flushes int) {
	t.Helper()
	answered := 0
	for round := range 6 {
		d, dir := newDisk(t)
		lines, left := cutUnder(t, d, dir, synchronous, time.Duration(20+40*round)*time.Millisecond)
		kept := map[string]bool{}
		readOn(t, filepath.Join(left, "store.db"), kept, 0)
		for _, key := range lines {
			if !kept[key] {
				lost++
			}
		}
		answered, flushes = answered+len(lines), flushes+d.flushes
	}
	t.Logf("synchronous=%s: of %d answered revocations %d are lost, with %d flushes", synchronous, answered, lost, flushes)
	if answered < 60 {
		t.Errorf("only %d were answered: nothing was tested", answered)
	}
	return lost, flushes
}

// cutUnder runs a child until some time after its first answer, and returns what it
// answered and where the disk's content is.
func cutUnder(t *testing.T, d *disk, dir, synchronous string, after time.Duration) (answered []string, left string) {
	t.Helper()
	child := exec.Command(os.Args[0])
	child.Env = append(os.Environ(), childPath+"="+filepath.Join(dir, "store.db"), childSynchronous+"="+synchronous)
	var says bytes.Buffer // when the power is gone, that it is
	child.Stderr = &says
	pipe, err := child.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	first, over := make(chan struct{}, 1), make(chan struct{})
	go func() {
		defer close(over)
		for lines := bufio.NewScanner(pipe); lines.Scan(); {
			answered = append(answered, lines.Text())
			select {
			case first <- struct{}{}:
			default:
			}
		}
	}()
	select {
	case <-first:
		time.Sleep(after)
	case <-time.After(20 * time.Second):
	}
	left = d.cut(t)
	time.AfterFunc(5*time.Second, func() { _ = child.Process.Kill() }) // it ends by itself
	<-over
	_ = child.Wait()
	if len(answered) == 0 {
		t.Errorf("the child answered nothing: %s", says.String())
	}
	return answered, left
}
