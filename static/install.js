// The service worker: it keeps the shell of the page for when the server is away, and shows what a push service brings.

/** Browsers that know Trusted Types take a script's address from a policy alone; ours lets one address through. */
const policy = window.trustedTypes?.createPolicy('secure-chat', {
  createScriptURL: (address) => {
    if (address !== '/sw.js') throw new TypeError('not the service worker');
    return address;
  },
});

export async function installWorker() {
  if (!navigator.serviceWorker) return; // pages without TLS have none, but for localhost
  navigator.serviceWorker.addEventListener('message', ({ data }) => data?.address && (location.hash = data.address.replace(/^\//, '')));
  try {
    await navigator.serviceWorker.register(policy ? policy.createScriptURL('/sw.js') : '/sw.js');
  } catch {
    // The page works without it.
  }
}
