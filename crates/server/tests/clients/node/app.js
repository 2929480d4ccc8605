// oidc-client-ts: an application that has no server of its own.

const { UserManager, WebStorageStateStore } = globalThis.oidc;
const settings = await (await fetch('/settings.json')).json();

const manager = new UserManager({
  authority: settings.issuer,
  client_id: settings.client_id,
  redirect_uri: `${location.origin}/callback`,
  post_logout_redirect_uri: location.origin,
  scope: 'openid profile offline_access read',
  loadUserInfo: true,
  automaticSilentRenew: false,
  // The tabs of a browser share one sign-in.
  userStore: new WebStorageStateStore({ store: localStorage }),
});

if (location.pathname === '/callback') {
  await manager.signinRedirectCallback();
  history.replaceState(null, '', '/');
}
show(await manager.getUser());

on('sign-in', () => manager.signinRedirect());
// With a refresh token it needs no frame: it asks the token endpoint.
on('refresh', async () => show(await manager.signinSilent()));
on('revoke', () => manager.revokeTokens(['refresh_token']));
on('sign-out', () => manager.signoutRedirect());

function on(button, action) {
  document.getElementById(button).addEventListener('click', () =>
    action().then(
      () => told(button, 'done'),
      (error) => told(button, error.error ?? error.message),
    ),
  );
}

/** What came of a button, where the test finds it. */
function told(button, outcome) {
  const { dataset } = document.getElementById(button);
  dataset.outcome = outcome;
  dataset.times = Number(dataset.times ?? 0) + 1;
}

function show(user) {
  document.getElementById('who').textContent =
    user === null ? 'Nobody is signed in.' : `${user.profile.preferred_username} is signed in.`;
}
