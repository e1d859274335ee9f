// oauth4webapi checks every member of every answer against its document.
import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { exportJWK } from 'jose'
import * as oauth from 'oauth4webapi'
import { alice, Person, Service } from './service.js'

const insecure = { [oauth.allowInsecureRequests]: true } // http, on this machine alone
const callback = 'https://app.example/callback'
const exchange = 'urn:ietf:params:oauth:grant-type:token-exchange'

let service, as
before(async () => {
  service = await Service.start()
  const issuer = new URL(service.url)
  as = await oauth.processDiscoveryResponse(issuer, await oauth.discoveryRequest(issuer, insecure))
})
after(async () => await service.stop())

/** application makes one, and how it proves itself. */
function application(...flags) {
  const client = service.application('Weather Station', ...flags)
  return { client, auth: client.client_secret ? oauth.ClientSecretBasic(client.client_secret) : oauth.None() }
}

const web = (...flags) => application(
  '--grant', 'code', '--grant', 'refresh_token', '--redirect-uri', callback, '--scope', 'openid', '--scope', 'profile', ...flags)

/** authorize goes through the pages, up to the answer in the redirect. */
async function authorize(client, more = {}, decision) {
  const flow = { verifier: oauth.generateRandomCodeVerifier(), state: oauth.generateRandomState(), nonce: oauth.generateRandomNonce() }
  const url = new URL(as.authorization_endpoint)
  url.search = new URLSearchParams({
    client_id: client.client_id, redirect_uri: callback, response_type: 'code', scope: 'openid profile', state: flow.state, nonce: flow.nonce,
    code_challenge: await oauth.calculatePKCECodeChallenge(flow.verifier), code_challenge_method: 'S256', ...more,
  })
  flow.answer = await new Person().authorize(url, decision)
  return flow
}

/** login is the whole of the code flow. */
async function login({ client, auth }, options = {}, more = {}) {
  const flow = await authorize(client, more)
  const parameters = oauth.validateAuthResponse(as, client, flow.answer, flow.state)
  service.keep({ code: parameters.get('code') })
  const response = await oauth.authorizationCodeGrantRequest(as, client, auth, parameters, callback, flow.verifier, { ...insecure, ...options })
  const set = await oauth.processAuthorizationCodeResponse(as, client, response, { expectedNonce: flow.nonce, requireIdToken: true })
  await oauth.validateApplicationLevelSignature(as, response, insecure)
  return service.keep(set)
}

const own = async ({ client, auth }, parameters = {}, options = {}) => service.keep(await oauth.processClientCredentialsResponse(
  as, client, await oauth.clientCredentialsGrantRequest(as, client, auth, parameters, { ...insecure, ...options })))

const refresh = async ({ client, auth }, token, options = {}) => service.keep(await oauth.processRefreshTokenResponse(
  as, client, await oauth.refreshTokenGrantRequest(as, client, auth, token, { ...insecure, ...options })))

const userinfo = async ({ client }, token, options = {}) => await oauth.processUserInfoResponse(
  as, client, alice.name, await oauth.userInfoRequest(as, client, token, { ...insecure, ...options }))

const introspect = async ({ client, auth }, token, options = {}) => await oauth.processIntrospectionResponse(
  as, client, await oauth.introspectionRequest(as, client, auth, token, { ...insecure, ...options }))

const revoke = async ({ client, auth }, token) => await oauth.processRevocationResponse(
  await oauth.revocationRequest(as, client, auth, token, insecure))

const refused = (error, status = 400) => ({ name: 'ResponseBodyError', error, status })
const challenged = (scheme, error) => (e) => {
  assert.equal(e.name, 'WWWAuthenticateChallengeError', e)
  assert.equal(e.cause[0].scheme, scheme)
  if (error) assert.equal(e.cause[0].parameters.error, error)
  return true
}

test('both documents of metadata say the same', async () => {
  const issuer = new URL(service.url)
  const response = await oauth.discoveryRequest(issuer, { ...insecure, algorithm: 'oauth2' })
  assert.deepEqual(await oauth.processDiscoveryResponse(issuer, response), as)
})

describe('authorization code', () => {
  for (const flags of [[], ['--auth-method', 'client_secret_basic'], ['--public']]) {
    test(`a person logs in, ${flags.join(' ') || 'by a secret'}`, async () => {
      const app = web(...flags)
      const set = await login(app)
      assert.equal(set.token_type, 'bearer')
      assert.equal(set.scope, 'openid profile')
      assert.equal(set.expires_in, 600)
      assert.equal(oauth.getValidatedIdTokenClaims(set).sub, alice.name)
      assert.deepEqual(await userinfo(app, set.access_token), { sub: alice.name, preferred_username: alice.name })
    })
  }

  test('a denial is told with state and iss', async () => {
    const { client } = web()
    const { answer, state } = await authorize(client, {}, 'deny')
    assert.throws(() => oauth.validateAuthResponse(as, client, answer, state), { name: 'AuthorizationResponseError', error: 'access_denied' })
  })

  test('what the application got wrong is told to it', async () => {
    const { client } = web()
    for (const [more, error] of [
      [{ scope: 'openid admin' }, 'invalid_scope'], [{ response_type: 'token' }, 'unsupported_response_type'], [{ code_challenge_method: 'plain' }, 'invalid_request'],
      [{ prompt: 'none' }, 'login_required'], [{ resource: 'https://other.example' }, 'invalid_target'],
    ]) {
      const url = new URL(as.authorization_endpoint)
      url.search = new URLSearchParams({
        client_id: client.client_id, redirect_uri: callback, response_type: 'code', scope: 'openid', state: 's',
        code_challenge: await oauth.calculatePKCECodeChallenge(oauth.generateRandomCodeVerifier()), code_challenge_method: 'S256', ...more,
      })
      const { at } = await new Person().open(url)
      assert.throws(() => oauth.validateAuthResponse(as, client, at, 's'), { name: 'AuthorizationResponseError', error })
    }
  })

  test('max_age is answered with auth_time', async () => {
    const app = web()
    const flow = await authorize(app.client, { max_age: '60' })
    const parameters = oauth.validateAuthResponse(as, app.client, flow.answer, flow.state)
    const response = await oauth.authorizationCodeGrantRequest(as, app.client, app.auth, parameters, callback, flow.verifier, insecure)
    await oauth.processAuthorizationCodeResponse(as, app.client, response, { expectedNonce: flow.nonce, maxAge: 60, requireIdToken: true })
  })

  test('a code is good once, and for its own verifier', async () => {
    const { client, auth } = web()
    const flow = await authorize(client)
    const parameters = oauth.validateAuthResponse(as, client, flow.answer, flow.state)
    const trade = async (verifier) => await oauth.processAuthorizationCodeResponse(
      as, client, await oauth.authorizationCodeGrantRequest(as, client, auth, parameters, callback, verifier, insecure), { expectedNonce: flow.nonce })
    await assert.rejects(trade(oauth.generateRandomCodeVerifier()), refused('invalid_grant'))
    const set = await trade(flow.verifier)
    await assert.rejects(trade(flow.verifier), refused('invalid_grant'))
    await assert.rejects(userinfo({ client }, set.access_token), challenged('bearer', 'invalid_token'))
  })
})

test('a refresh token is traded for the next one', async () => {
  const app = web()
  const first = await login(app)
  const second = await refresh(app, first.refresh_token)
  assert.notEqual(second.refresh_token, first.refresh_token)
  assert.notEqual(second.access_token, first.access_token)
  // An application that has lost the answer is given it again.
  assert.equal((await refresh(app, first.refresh_token)).refresh_token, second.refresh_token)
  const narrow = await refresh(app, second.refresh_token, { additionalParameters: { scope: 'openid' } })
  assert.equal(narrow.scope, 'openid')
  await assert.rejects(refresh(app, narrow.refresh_token, { additionalParameters: { scope: 'openid profile more' } }), refused('invalid_scope'))
  await assert.rejects(refresh(web(), narrow.refresh_token), refused('invalid_grant'))
})

describe('client credentials', () => {
  const grant = ['--grant', 'client_credentials', '--scope', 'read', '--scope', 'write', '--audience', 'https://api.example']

  for (const [method, make] of [['client_secret_basic', oauth.ClientSecretBasic], ['client_secret_post', oauth.ClientSecretPost]]) {
    test(method, async () => {
      const { client } = application(...grant, '--auth-method', method)
      const set = await own({ client, auth: make(client.client_secret) }, { scope: 'read', resource: 'https://api.example' })
      assert.equal(set.scope, 'read')
      assert.equal(set.refresh_token, undefined)
      const request = new Request('https://api.example/', { headers: { Authorization: `Bearer ${set.access_token}` } })
      const claims = await oauth.validateJwtAccessToken(as, request, 'https://api.example', insecure)
      assert.equal(claims.sub, client.client_id)
      await assert.rejects(oauth.validateJwtAccessToken(as, request, 'https://other.example', insecure), { code: 'OAUTH_JWT_CLAIM_COMPARISON_FAILED' })
      await assert.rejects(own({ client, auth: make('wrong') }), challenged('basic'))
      const other = make === oauth.ClientSecretPost ? oauth.ClientSecretBasic : oauth.ClientSecretPost
      await assert.rejects(own({ client, auth: other(client.client_secret) }), challenged('basic'))
    })
  }

  for (const alg of ['ES256', 'RS256', 'PS256', 'Ed25519']) {
    test(`private_key_jwt by ${alg}`, async () => {
      const { publicKey, privateKey } = await oauth.generateKeyPair(alg)
      const jwks = service.file(`${alg}.json`, JSON.stringify({ keys: [{ ...await exportJWK(publicKey), kid: '1', use: 'sig' }] }))
      const { client } = application(...grant, '--auth-method', 'private_key_jwt', '--jwks', jwks)
      assert.equal(client.client_secret, undefined)
      const assertion = (key, change = () => {}) => oauth.PrivateKeyJwt({ key, kid: '1' }, {
        [oauth.modifyAssertion]: (header, payload) => change(payload),
      })
      const auth = assertion(privateKey)
      assert.equal((await own({ client, auth })).scope, 'read write')
      const forged = assertion((await oauth.generateKeyPair(alg)).privateKey)
      await assert.rejects(own({ client, auth: forged }), challenged('basic'))
      const twice = assertion(privateKey, (payload) => { payload.jti = 'the same' })
      await own({ client, auth: twice })
      await assert.rejects(own({ client, auth: twice }), challenged('basic'))
      const elsewhere = assertion(privateKey, (payload) => { payload.aud = 'https://other.example' })
      await assert.rejects(own({ client, auth: elsewhere }), challenged('basic'))
    })
  }
})

describe('DPoP', () => {
  for (const alg of ['ES256', 'PS256', 'Ed25519']) {
    test(`tokens are bound to a key by ${alg}`, async () => {
      const app = web('--public')
      const keys = await oauth.generateKeyPair(alg)
      const DPoP = oauth.DPoP(app.client, keys)
      const set = await login(app, { DPoP }, { dpop_jkt: await DPoP.calculateThumbprint() })
      assert.equal(set.token_type, 'dpop')
      await userinfo(app, set.access_token, { DPoP })
      const another = oauth.DPoP(app.client, await oauth.generateKeyPair(alg))
      await assert.rejects(userinfo(app, set.access_token, { DPoP: another }), challenged('dpop', 'invalid_token'))
      await assert.rejects(userinfo(app, set.access_token), challenged('dpop', 'invalid_token'))
      await assert.rejects(refresh(app, set.refresh_token, { DPoP: another }), { name: 'ResponseBodyError' })
      const next = await refresh(app, set.refresh_token, { DPoP })
      assert.equal(next.token_type, 'dpop')
      await userinfo(app, next.access_token, { DPoP })
    })
  }

  test('a nonce is handed out, taken, and asked for anew', async () => {
    const app = web('--public')
    const keys = await oauth.generateKeyPair('ES256')
    const sent = []
    let bad
    const DPoP = oauth.DPoP(app.client, keys, { [oauth.modifyAssertion]: (_, payload) => { if (bad) payload.nonce = bad; sent.push(payload.nonce) } })
    const set = await login(app, { DPoP })
    await userinfo(app, set.access_token, { DPoP })
    assert.equal(sent[0], undefined)
    assert.ok(sent[1], 'the nonce of the first answer is used')
    bad = 'made up'
    for (const ask of [() => refresh(app, set.refresh_token, { DPoP }), () => userinfo(app, set.access_token, { DPoP })]) {
      bad = 'made up'
      await assert.rejects(ask(), (e) => oauth.isDPoPNonceError(e) || assert.fail(e))
      bad = undefined
      await ask()
    }
  })

  test('the resource can check the proof', async () => {
    const app = application('--grant', 'client_credentials', '--audience', 'https://api.example')
    const DPoP = oauth.DPoP(app.client, await oauth.generateKeyPair('ES256'))
    const { access_token: token } = await own(app, {}, { DPoP })
    let request
    await oauth.protectedResourceRequest(token, 'GET', new URL('https://api.example/'), undefined, undefined, {
      DPoP, [oauth.customFetch]: async (url, options) => { request = new Request(url, options); return new Response() },
    })
    const claims = await oauth.validateJwtAccessToken(as, request, 'https://api.example', { ...insecure, requireDPoP: true })
    assert.equal(claims.client_id, app.client.client_id)
  })
})

describe('introspection and revocation', () => {
  test('a live token is described, a revoked one is not', async () => {
    const app = web()
    const set = await login(app)
    const told = await introspect(app, set.access_token)
    const { active, sub, username, client_id, scope, iss, token_type } = told
    assert.deepEqual({ active, sub, username, client_id, scope, iss, token_type }, {
      active: true, sub: alice.name, username: alice.name, client_id: app.client.client_id, scope: 'openid profile', iss: service.url, token_type: 'Bearer',
    })
    assert.ok(told.exp - told.iat === 600 && told.jti)
    assert.equal((await introspect(app, set.refresh_token)).active, true)
    assert.deepEqual(await introspect(web(), set.access_token), { active: false })
    assert.equal((await introspect(application('--grant', 'client_credentials', '--introspect'), set.access_token)).active, true)
    await revoke(web(), set.refresh_token) // another's: nothing happens
    assert.equal((await introspect(app, set.refresh_token)).active, true)
    await revoke(app, set.refresh_token)
    await revoke(app, set.refresh_token)
    await revoke(app, 'never issued')
    assert.deepEqual(await introspect(app, set.refresh_token), { active: false })
    assert.deepEqual(await introspect(app, set.access_token), { active: false })
    await assert.rejects(refresh(app, set.refresh_token), refused('invalid_grant'))
  })

  test('who asks has to prove itself', async () => {
    const { client } = web()
    const wrong = { client, auth: oauth.ClientSecretBasic('wrong') }
    await assert.rejects(introspect(wrong, 'token'), challenged('basic'))
    await assert.rejects(revoke(wrong, 'token'), challenged('basic'))
    await assert.rejects(introspect(web('--public'), 'token'), challenged('basic'))
  })
})

describe('device code', () => {
  const device = () => application('--public', '--grant', 'device_code', '--grant', 'refresh_token', '--scope', 'openid', '--scope', 'profile')
  const start = async ({ client, auth }) => service.keep(await oauth.processDeviceAuthorizationResponse(
    as, client, await oauth.deviceAuthorizationRequest(as, client, auth, { scope: 'openid profile' }, insecure)))
  const poll = async ({ client, auth }, code) => service.keep(await oauth.processDeviceCodeResponse(
    as, client, await oauth.deviceCodeGrantRequest(as, client, auth, code, insecure)))

  test('a device is let in', async () => {
    const app = device()
    const started = await start(app)
    assert.equal(started.interval, 5)
    await assert.rejects(poll(app, started.device_code), refused('authorization_pending'))
    await assert.rejects(poll(app, started.device_code), refused('slow_down'))
    await assert.rejects(poll(device(), started.device_code), refused('invalid_grant'))
    await new Person().letIn(started)
    const set = await poll(app, started.device_code)
    assert.equal(oauth.getValidatedIdTokenClaims(set).sub, alice.name)
    await userinfo(app, set.access_token)
    await assert.rejects(poll(app, started.device_code), refused('invalid_grant'))
  })

  test('a device is denied', async () => {
    const app = device()
    const started = await start(app)
    await new Person().letIn(started, 'deny')
    await assert.rejects(poll(app, started.device_code), refused('access_denied'))
  })
})

test('a token is exchanged for a narrower one, and says who acts', async () => {
  const front = web()
  const back = application('--grant', exchange, '--grant', 'client_credentials', '--scope', 'openid', '--scope', 'profile', '--audience', 'https://api.example')
  const subject = await login(front)
  const actor = await own(back, { scope: 'profile' })
  const access = 'urn:ietf:params:oauth:token-type:access_token'
  const trade = async (parameters) => service.keep(await oauth.processGenericTokenEndpointResponse(as, back.client,
    await oauth.genericTokenEndpointRequest(as, back.client, back.auth, exchange, { subject_token: subject.access_token, subject_token_type: access, ...parameters }, insecure)))
  const set = await trade({ actor_token: actor.access_token, actor_token_type: access, scope: 'profile', audience: 'https://api.example' })
  assert.equal(set.issued_token_type, access)
  assert.equal(set.scope, 'profile')
  const request = new Request('https://api.example/', { headers: { Authorization: `Bearer ${set.access_token}` } })
  const claims = await oauth.validateJwtAccessToken(as, request, 'https://api.example', insecure)
  assert.equal(claims.sub, alice.name)
  assert.equal(claims.act.sub, back.client.client_id)
  assert.deepEqual(claims.aud, 'https://api.example')
  await assert.rejects(trade({ audience: 'https://other.example' }), refused('invalid_target'))
  await assert.rejects(trade({ scope: 'admin' }), refused('invalid_scope'))
  await assert.rejects(trade({ subject_token: 'rubbish' }), refused('invalid_request'))
  await assert.rejects(trade({ actor_token: actor.access_token }), refused('invalid_request'))
})

test('errors of the token endpoint are those of RFC 6749', async () => {
  const app = application('--grant', 'client_credentials')
  const ask = async (grant, parameters = {}) => await oauth.processGenericTokenEndpointResponse(as, app.client,
    await oauth.genericTokenEndpointRequest(as, app.client, app.auth, grant, parameters, insecure))
  await assert.rejects(ask('implicit'), refused('unsupported_grant_type'))
  await assert.rejects(ask('authorization_code', { code: 'x' }), refused('unauthorized_client'))
  await assert.rejects(ask('client_credentials', { scope: 'x"y' }), refused('invalid_scope'))
  await assert.rejects(ask('client_credentials', [['scope', ''], ['scope', '']]), refused('invalid_request'))
  await assert.rejects(ask('client_credentials', { resource: 'https://other.example' }), refused('invalid_target'))
})

test('password, for an application made for it alone', async () => {
  const app = application('--grant', 'password', '--scope', 'openid')
  const ask = async (password) => await oauth.processGenericTokenEndpointResponse(as, app.client,
    await oauth.genericTokenEndpointRequest(as, app.client, app.auth, 'password', { username: alice.name, password }, insecure))
  await userinfo(app, service.keep(await ask(alice.password)).access_token)
  await assert.rejects(ask('wrong'), refused('invalid_grant'))
})
