// openid-client is what most programs of Node.js log in with.
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { exportJWK } from 'jose'
import * as client from 'openid-client'
import { alice, Person, Service } from './service.js'

const callback = 'https://app.example/callback'
const insecure = { execute: [client.allowInsecureRequests] } // http, on this machine alone

let service
before(async () => { service = await Service.start() })
after(async () => await service.stop())

/** configure makes an application and discovers the service for it. */
async function configure(flags, metadata, auth) {
  const made = service.application('Weather Station', ...flags)
  auth ??= made.client_secret ? undefined : client.None()
  return await client.discovery(new URL(service.url), made.client_id, { client_secret: made.client_secret, ...metadata }, auth, insecure)
}

const web = ['--grant', 'code', '--grant', 'refresh_token', '--redirect-uri', callback, '--scope', 'openid', '--scope', 'profile']

async function authorize(config, more = {}, decision) {
  const checks = { pkceCodeVerifier: client.randomPKCECodeVerifier(), expectedState: client.randomState(), expectedNonce: client.randomNonce() }
  const url = client.buildAuthorizationUrl(config, {
    redirect_uri: callback, scope: 'openid profile', state: checks.expectedState, nonce: checks.expectedNonce,
    code_challenge: await client.calculatePKCECodeChallenge(checks.pkceCodeVerifier), code_challenge_method: 'S256', ...more,
  })
  return { checks, answer: await new Person().authorize(url, decision) }
}

async function login(config, options) {
  const { checks, answer } = await authorize(config)
  return service.keep(await client.authorizationCodeGrant(config, answer, { ...checks, idTokenExpected: true }, undefined, options))
}

const active = async (config, token) => (await client.tokenIntrospection(config, token)).active

for (const [name, flags] of [['with a secret', []], ['that is public', ['--public']]]) {
  test(`an application ${name} logs a person in, and out`, async () => {
    const config = await configure([...web, ...flags])
    client.enableNonRepudiationChecks(config) // signatures are verified, TLS or not
    const set = await login(config)
    assert.equal(set.claims().sub, alice.name)
    assert.ok(set.expiresIn() > 590)
    assert.equal((await client.fetchUserInfo(config, set.access_token, alice.name)).preferred_username, alice.name)
    const next = service.keep(await client.refreshTokenGrant(config, set.refresh_token))
    assert.notEqual(next.refresh_token, set.refresh_token)
    await client.fetchUserInfo(config, next.access_token, alice.name)
    await client.tokenRevocation(config, next.refresh_token)
    await assert.rejects(client.refreshTokenGrant(config, next.refresh_token), { error: 'invalid_grant', status: 400 })
    await assert.rejects(client.fetchUserInfo(config, next.access_token, alice.name), { status: 401 })
  })
}

test('a denial is told', async () => {
  const config = await configure(web)
  const { checks, answer } = await authorize(config, {}, 'deny')
  await assert.rejects(client.authorizationCodeGrant(config, answer, checks), { error: 'access_denied' })
})

test('an application acts for itself, and asks about its token', async () => {
  const config = await configure(['--grant', 'client_credentials', '--scope', 'read', '--audience', 'https://api.example'])
  const set = service.keep(await client.clientCredentialsGrant(config, { scope: 'read', resource: 'https://api.example' }))
  assert.equal(set.scope, 'read')
  assert.equal(await active(config, set.access_token), true)
  await client.tokenRevocation(config, set.access_token)
  assert.equal(await active(config, set.access_token), false)
  await assert.rejects(client.clientCredentialsGrant(config, { scope: 'admin' }), { error: 'invalid_scope' })
})

for (const [name, make] of [['client_secret_basic', client.ClientSecretBasic], ['client_secret_post', client.ClientSecretPost]]) {
  test(`an application proves itself by ${name}`, async () => {
    const config = await configure(['--grant', 'client_credentials', '--auth-method', name], {}, make())
    service.keep(await client.clientCredentialsGrant(config))
    const wrong = await client.discovery(new URL(service.url), config.clientMetadata().client_id, {}, make('wrong'), insecure)
    await assert.rejects(client.clientCredentialsGrant(wrong), { status: 401 })
  })
}

test('an application proves itself by private_key_jwt', async () => {
  const { publicKey, privateKey } = await client.randomDPoPKeyPair('ES256')
  const jwks = service.file('jwks.json', JSON.stringify({ keys: [await exportJWK(publicKey)] }))
  const config = await configure(['--grant', 'client_credentials', '--auth-method', 'private_key_jwt', '--jwks', jwks], {}, client.PrivateKeyJwt(privateKey))
  const set = service.keep(await client.clientCredentialsGrant(config))
  assert.equal(await active(config, set.access_token), true)
  await client.tokenRevocation(config, set.access_token)
})

test('a device waits until it is let in', async () => {
  const config = await configure(['--public', '--grant', 'device_code', '--grant', 'refresh_token', '--scope', 'openid', '--scope', 'profile'])
  const started = service.keep(await client.initiateDeviceAuthorization(config, { scope: 'openid profile' }))
  const [set] = await Promise.all([client.pollDeviceAuthorizationGrant(config, started), new Person().letIn(started)])
  assert.equal(service.keep(set).claims().sub, alice.name)
})

test('a device is told that it was denied', async () => {
  const config = await configure(['--public', '--grant', 'device_code', '--scope', 'openid'])
  const started = service.keep(await client.initiateDeviceAuthorization(config, {}))
  await new Person().letIn(started, 'deny')
  await assert.rejects(client.pollDeviceAuthorizationGrant(config, { ...started, interval: 1 }), { error: 'access_denied' })
})

test('tokens are bound to a key by DPoP', async () => {
  const config = await configure([...web, '--public'])
  const DPoP = client.getDPoPHandle(config, await client.randomDPoPKeyPair())
  const set = await login(config, { DPoP })
  assert.equal(set.token_type, 'dpop')
  await client.fetchUserInfo(config, set.access_token, alice.name, { DPoP })
  const next = service.keep(await client.refreshTokenGrant(config, set.refresh_token, undefined, { DPoP }))
  await client.fetchUserInfo(config, next.access_token, alice.name, { DPoP })
  const other = { DPoP: client.getDPoPHandle(config, await client.randomDPoPKeyPair()) }
  await assert.rejects(client.fetchUserInfo(config, next.access_token, alice.name, other), { status: 401 })
  await assert.rejects(client.refreshTokenGrant(config, next.refresh_token), { name: 'ResponseBodyError' })
})
