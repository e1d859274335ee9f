package postgres

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// sizeParameter of the URL is Config.Connections; the name is that of pgx's pool.
const sizeParameter = "pool_max_conns"

// defaults are settings of every connection that the URL does not set. A program that
// was stopped, or cut off, in a transaction must not hold up all others for long.
func defaults() map[string]string {
	return map[string]string{
		"application_name":                    "ats-auth-server",
		"statement_timeout":                   "8s",
		"lock_timeout":                        "4s",
		"idle_in_transaction_session_timeout": "2s",
	}
}

// parse reads the URL. Its errors have nothing of it, since what cannot be read may be
// a password.
func parse(config Config) (parsed *pgx.ConnConfig, connections int, err error) {
	parsed, err = pgx.ParseConfig(config.URL)
	if err != nil || strings.Contains(parsed.Host, "@") { // the end of a password
		return nil, 0, errors.New("the URL cannot be read: what is no letter or digit in a name or a password is to be written %XX")
	}
	connections = config.Connections
	if text, ok := parsed.RuntimeParams[sizeParameter]; ok {
		if connections, err = strconv.Atoi(text); err != nil || connections < 1 {
			return nil, 0, errors.New(sizeParameter + " in the URL is no number above 0")
		}
		delete(parsed.RuntimeParams, sizeParameter)
	}
	if connections == 0 {
		connections = 10
	}
	for name, value := range defaults() {
		if parsed.RuntimeParams[name] == "" {
			parsed.RuntimeParams[name] = value
		}
	}
	if parsed.ConnectTimeout == 0 {
		parsed.ConnectTimeout = 5 * time.Second
	}
	if parsed.ValidateConnect == nil { // no target_session_attrs
		parsed.ValidateConnect = pgconn.ValidateConnectTargetSessionAttrsPrimary
	}
	parsed.AfterConnect, parsed.OnNotice = durable, warned
	return parsed, connections, nil
}

// nameOf is what errors call the database.
func nameOf(config *pgx.ConnConfig) string {
	hosts := []string{hostOf(config.Host, config.Port)}
	for _, other := range config.Fallbacks {
		// One without TLS, where that is to be tried too, is the same host.
		if host := hostOf(other.Host, other.Port); host != hosts[len(hosts)-1] {
			hosts = append(hosts, host)
		}
	}
	return "postgresql " + strings.Join(hosts, ",") + "/" + config.Database
}

func hostOf(host string, port uint16) string {
	if strings.HasPrefix(host, "/") { // a socket
		return host
	}
	return net.JoinHostPort(host, strconv.Itoa(int(port)))
}

// durable refuses a server that answers before it has flushed, one that a URL led to
// that is a standby, and one behind a pooler, which gives its connections numbers of
// its own.
func durable(ctx context.Context, conn *pgconn.PgConn) error {
	const query = "SELECT current_setting('fsync'), current_setting('synchronous_commit'), pg_is_in_recovery(), pg_backend_pid()"
	results, err := conn.Exec(ctx, query).ReadAll()
	if err != nil {
		return err
	}
	row := results[0].Rows[0]
	switch {
	case string(row[0]) == "off":
		return errors.New("fsync is off on the server: what is answered would not be durable")
	case string(row[1]) == "off":
		return errors.New("synchronous_commit is off: what is answered would not be durable")
	case string(row[2]) == "t":
		return errors.New("the server is a standby")
	case string(row[3]) != strconv.FormatUint(uint64(conn.PID()), 10):
		return errors.New("a pooler such as PgBouncer stands before the server: connect to the server itself")
	}
	return nil
}

const warning = "warning"

// warned keeps the last warning of the server with the connection.
func warned(conn *pgconn.PgConn, notice *pgconn.Notice) {
	if notice.SeverityUnlocalized == "WARNING" {
		conn.CustomData()[warning] = fmt.Errorf("%s (SQLSTATE %s)", notice.Message, notice.Code)
	}
}

// takeWarning gives the warning and forgets it.
func takeWarning(conn *pgconn.PgConn) error {
	err, _ := conn.CustomData()[warning].(error)
	delete(conn.CustomData(), warning)
	return err
}
