// What Chromium has for tests in place of a fingerprint reader.

/** The device's own authenticator, which does what its owner is told to do here. */
export class Authenticator {
  static async of(page) {
    const devtools = await page.context().newCDPSession(page);
    await devtools.send('WebAuthn.enable', { enableUI: false });
    const options = {
      protocol: 'ctap2',
      transport: 'internal',
      hasResidentKey: true,
      hasUserVerification: true,
      isUserVerified: true,
      automaticPresenceSimulation: false,
    };
    const { authenticatorId } = await devtools.send('WebAuthn.addVirtualAuthenticator', { options });
    return new Authenticator(devtools, authenticatorId);
  }

  constructor(devtools, authenticatorId) {
    Object.assign(this, { devtools, authenticatorId });
  }

  /** Somebody touches it whenever it is asked while `act` goes on. */
  async touched(act) {
    const set = (enabled) => this.#send('setAutomaticPresenceSimulation', { enabled });
    await set(true);
    await act();
    await set(false);
  }

  /** Whether the owner's finger or PIN is the right one. */
  knowsItsOwner(isUserVerified) {
    return this.#send('setUserVerified', { isUserVerified });
  }

  async credentials() {
    return (await this.#send('getCredentials')).credentials;
  }

  #send(name, parameters = {}) {
    return this.devtools.send(`WebAuthn.${name}`, { authenticatorId: this.authenticatorId, ...parameters });
  }
}
