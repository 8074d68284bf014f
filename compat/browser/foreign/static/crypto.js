// The tutorial page's idea of encryption: an XOR under a key that everybody can compute. Old pages send this as `encrypted_content`.
var Scrambler = {
    keyFor: function (room) {
        var seed = room + 'encryption-seed';
        var sum = 0;
        for (var i = 0; i < seed.length; i++) {
            sum = ((sum << 5) - sum + seed.charCodeAt(i)) | 0;
        }
        return Math.abs(sum).toString(16);
    },
    mix: function (text, key) {
        return text.split('').map(function (c, i) {
            return String.fromCharCode(c.charCodeAt(0) ^ key.charCodeAt(i % key.length));
        }).join('');
    },
    scramble: function (text, room) {
        return btoa(this.mix(text, this.keyFor(room)));
    },
    unscramble: function (text, room) {
        return this.mix(atob(text), this.keyFor(room));
    }
};
