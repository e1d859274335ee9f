package pages

import "time"

// Frame is what every page has.
type Frame struct {
	User string // who is logged in; empty: nobody
	CSRF string // goes into every form as the hidden field "csrf"
	// FormTargets are the origins ("https://app.example.com") and the schemes of
	// native applications ("com.example.app:") where a form of this page may end up
	// besides at the service itself: browsers hold the redirect that follows a
	// submit to form-action too. What has another form is left out. Danger: an IPv6
	// address, as in "http://[::1]:8080", lets in all of its scheme.
	FormTargets []string
}

func (f Frame) frame() Frame { return f }

// Login asks for a name and a password. The form posts username, password and
// next.
type Login struct {
	Frame
	Action   string // where the form goes
	Next     string // handed back as it is
	Client   string // the application that wants the login; empty: none
	Username string // already typed, or known
	Problem  string // what was wrong with the last try; empty: nothing
}

// Scope is one right that is asked for.
type Scope struct {
	Name    string // as it stands in tokens
	Meaning string // for people, such as "Read your profile"; may be empty
}

// Consent asks whether an application may act for the user. The form posts
// decision, which is "allow" or "deny".
type Consent struct {
	Frame
	Action       string
	Client       string // the application's name; empty: ClientID stands for it
	ClientID     string
	RedirectHost string // where the browser goes afterwards
	Scopes       []Scope
	Resources    []string // whom the tokens are for; none: the service's default
}

// Device asks for the code that a device shows (RFC 8628 section 3.3). The form
// posts user_code.
type Device struct {
	Frame
	Action   string
	UserCode string // already typed
	Problem  string // what was wrong with the last try; empty: nothing
}

// DeviceConfirm asks whether the device that shows a code may act for the user
// (RFC 8628 sections 3.3.1 and 5.4). The form posts decision, which is "allow"
// or "deny", and user_code.
type DeviceConfirm struct {
	Frame
	Action    string
	Client    string // the application's name; empty: ClientID stands for it
	ClientID  string
	UserCode  string    // as the device shows it
	Source    string    // where the device asked from; empty: not known
	Asked     time.Time // when the device asked; zero: not known
	Scopes    []Scope
	Resources []string // whom the tokens are for; none: the service's default
}

// AccountLogin is one login of the user.
type AccountLogin struct {
	ID       string // public; what the service knows it by
	Name     string // the application's name, or what kind of login it is
	Door     string // the dialect through which it was made
	Scope    string // space-separated; empty: none
	Created  time.Time
	LastUsed time.Time // zero: not since it was made
	Expires  time.Time // zero: without end
	Current  bool      // the one that shows this page
}

// Account shows a user's logins and ends them. The forms post to EndAction with
// id, to EndAllAction and to LogoutAction.
type Account struct {
	Frame
	EndAction    string // ends one login
	EndAllAction string // ends all logins and revokes all tokens
	LogoutAction string // ends the login of this browser
	Notice       string // what has just been done; empty: nothing
	Logins       []AccountLogin
	More         bool // there are more than these
}

// Message tells that something is done.
type Message struct {
	Frame
	Title    string
	Text     string
	Good     bool   // it went as the user wanted
	LinkText string // the way on; empty: none
	LinkURL  string
}

// Problem tells that something could not be done.
type Problem struct {
	Frame
	Title     string
	Text      string
	RequestID string // to name when asking for help; empty: none
}
